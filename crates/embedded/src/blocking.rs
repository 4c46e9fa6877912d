//! The same over the blocking traits of `embedded-io`.
//!
//! # Time
//!
//! A blocking read or write that waits for ever cannot be interrupted by a deadline. So the
//! transport has to return from time to time with an error of the kind
//! [`TimedOut`](embedded_io::ErrorKind::TimedOut), ten times a second for example. A socket of `std`
//! with a time-out returns `WouldBlock` on Unix, which its adapter has to turn into that.
//! [`Interrupted`](embedded_io::ErrorKind::Interrupted) means the same. Neither is
//! an error here: the clock is read, and the call is made again. Over a transport that never returns
//! so, no deadline is kept while a call waits.
//!
//! The clock is a function that returns milliseconds, modulo 2^32.

use core::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use crate::{
    AcceptOptions, Buffers, Client, Clock, CloseCode, Connection, Error, Limit, MaskSource,
    Message, Offer, Request, Response, Role, SendError, Sender, Server, Target,
};

/// One side of a WebSocket over a blocking transport. Its methods are those of
/// [`WebSocket`](crate::WebSocket), and block instead of being awaited.
///
/// ```
/// use websocket_proto_embedded::embedded_io::{Read, Write};
/// use websocket_proto_embedded::{Buffers, Error, blocking::WebSocket};
///
/// fn echo<T: Read + Write>(
///     transport: T,
///     millis: impl FnMut() -> u32,
///     buffers: Buffers<'_>,
/// ) -> Result<(), Error<T::Error>> {
///     let mut ws = WebSocket::server(transport, millis, buffers);
///     ws.accept(|_| Ok(Default::default()))?;
///     while ws.wait()? {
///         while let Some((message, sender)) = ws.receive() {
///             if let Some(data) = message.data() {
///                 sender.send(data).map_err(Error::Send)?;
///             }
///         }
///     }
///     Ok(())
/// }
/// ```
pub struct WebSocket<'b, T, C, R>(crate::WebSocket<'b, Polled<T>, Timer<C>, R>);

impl<'b, T, C: FnMut() -> u32> WebSocket<'b, T, C, Server> {
    /// See [`WebSocket::server`](crate::WebSocket::server).
    pub fn server(transport: T, millis: C, buffers: Buffers<'b>) -> Self {
        WebSocket(crate::WebSocket::server(Polled::new(transport), Timer(millis), buffers))
    }
}

impl<'b, T, C: FnMut() -> u32, M: MaskSource> WebSocket<'b, T, C, Client<M>> {
    /// See [`WebSocket::client`](crate::WebSocket::client).
    pub fn client(transport: T, millis: C, masks: M, buffers: Buffers<'b>) -> Self {
        WebSocket(crate::WebSocket::client(Polled::new(transport), Timer(millis), masks, buffers))
    }
}

impl<'b, T, C: FnMut() -> u32, R: Role> WebSocket<'b, T, C, R> {
    /// See [`WebSocket::limit`](crate::WebSocket::limit).
    #[must_use]
    pub fn limit(self, limit: Limit, length: Option<Duration>) -> Self {
        WebSocket(self.0.limit(limit, length))
    }

    /// See [`WebSocket::shutdown`](crate::WebSocket::shutdown).
    #[must_use]
    pub fn shutdown(mut self, end: fn(&mut T)) -> Self {
        self.0.transport().shutdown = end;
        WebSocket(self.0.shutdown(|polled| (polled.shutdown)(&mut polled.transport)))
    }

    /// See [`WebSocket::connection`](crate::WebSocket::connection).
    pub const fn connection(&self) -> &Connection<R> {
        self.0.connection()
    }

    /// See [`WebSocket::transport`](crate::WebSocket::transport).
    pub const fn transport(&mut self) -> &mut T {
        &mut self.0.transport().transport
    }

    /// See [`WebSocket::into_transport`](crate::WebSocket::into_transport).
    pub fn into_transport(self) -> T {
        self.0.into_transport().transport
    }

    /// See [`WebSocket::receive`](crate::WebSocket::receive).
    pub fn receive(&mut self) -> Option<(Message<'_>, &mut Sender<'b, R>)> {
        self.0.receive()
    }
}

impl<'b, T: Read + Write, C: FnMut() -> u32, R: Role> WebSocket<'b, T, C, R> {
    /// See [`WebSocket::wait`](crate::WebSocket::wait).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait(&mut self) -> Result<bool, Error<T::Error>> {
        block_on(self.0.wait())
    }

    /// See [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(
        &mut self,
        call: impl FnOnce(&mut Sender<'b, R>) -> Result<(), SendError>,
    ) -> Result<(), Error<T::Error>> {
        block_on(self.0.send(call))
    }

    /// See [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error<T::Error>> {
        block_on(self.0.close(code, reason))
    }
}

impl<T: Read + Write, C: FnMut() -> u32> WebSocket<'_, T, C, Server> {
    /// See [`WebSocket::accept`](crate::WebSocket::accept).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn accept(
        &mut self,
        decide: impl for<'h> FnOnce(&Request<'h>) -> Result<AcceptOptions<'h>, u16>,
    ) -> Result<(), Error<T::Error>> {
        block_on(self.0.accept(decide))
    }
}

impl<T: Read + Write, C: FnMut() -> u32, M: MaskSource> WebSocket<'_, T, C, Client<M>> {
    /// See [`WebSocket::connect`](crate::WebSocket::connect).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect(
        &mut self,
        target: &Target<'_>,
        offer: &Offer<'_>,
        nonce: [u8; 16],
        seen: impl FnOnce(&Response<'_>),
    ) -> Result<(), Error<T::Error>> {
        block_on(self.0.connect(target, offer, nonce, seen))
    }
}

impl<T, C, R> fmt::Debug for WebSocket<'_, T, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A blocking transport, of which each poll makes one call.
struct Polled<T> {
    transport: T,
    shutdown: fn(&mut T),
}

impl<T> Polled<T> {
    fn new(transport: T) -> Self {
        Polled { transport, shutdown: |_| () }
    }

    async fn call<V, E: embedded_io::Error>(
        &mut self,
        mut call: impl FnMut(&mut T) -> Result<V, E>,
    ) -> Result<V, E> {
        poll_fn(|_| match call(&mut self.transport) {
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Poll::Pending
            }
            done => Poll::Ready(done),
        })
        .await
    }
}

impl<T: ErrorType> ErrorType for Polled<T> {
    type Error = T::Error;
}

impl<T: Read> embedded_io_async::Read for Polled<T> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, T::Error> {
        self.call(|transport| transport.read(buffer)).await
    }
}

impl<T: Write> embedded_io_async::Write for Polled<T> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, T::Error> {
        self.call(|transport| transport.write(bytes)).await
    }

    async fn flush(&mut self) -> Result<(), T::Error> {
        self.call(Write::flush).await
    }
}

/// A clock that is looked at with each poll.
struct Timer<C>(C);

impl<C: FnMut() -> u32> Clock for Timer<C> {
    fn millis(&mut self) -> u32 {
        (self.0)()
    }

    async fn delay(&mut self, millis: u32) {
        let since = self.millis();
        poll_fn(|_| match self.millis().wrapping_sub(since) >= millis {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// Polls a future until it is ready. Between two polls nothing waits, because what waits is the
/// transport.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
