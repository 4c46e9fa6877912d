//! `Stream` and `Sink`, and the two owned halves.
//!
//! Both sides of a connection may be polled by different tasks, and each poll drives all of it:
//! a poll of the sink reads, and a poll of the stream writes. The transport and the timer keep one
//! waker each, which is the one of [`Wakers`]. It wakes every side that waits. A turn that changes
//! something wakes the other side, too, because that may be what it waits for.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;
use tokio::time::Instant;
use websocket_proto::{CloseCode, Role, SendError, endpoint::Ending};

use crate::{Error, Message, PAUSE, WebSocket};

/// The sides that may wait.
#[derive(Clone, Copy)]
enum Side {
    Receiver = 0,
    Sender = 1,
}

/// What only a `Stream`, a `Sink` or the halves need. It is allocated when one is first polled.
#[derive(Default)]
pub(crate) struct Shared {
    wakers: Arc<Wakers>,
    /// A message that the sink has accepted and the endpoint had no room for.
    pub(crate) held: Option<Message>,
    /// The connection closed before `held` was sent.
    lost: bool,
    /// Which sides returned `Pending` last.
    waits: [bool; 2],
}

/// Wakes each side that waits.
#[derive(Default)]
struct Wakers(Mutex<[Option<Waker>; 2]>);

impl Wakers {
    fn slots(&self) -> MutexGuard<'_, [Option<Waker>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, side: Side, waker: Option<&Waker>) {
        self.slots()[side as usize] = waker.cloned();
    }

    fn wake_other(&self, side: Side) {
        let waker = self.slots()[1 - side as usize].take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Woken without the lock, because a waker may poll at once.
        let wakers = std::mem::take(&mut *self.slots());
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Polls as one side, with the waker of both.
    fn poll_side<T>(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let shared = self.shared.get_or_insert_default();
        let (wakers, waits) = (Arc::clone(&shared.wakers), shared.waits.contains(&true));
        wakers.set(side, Some(cx.waker()));
        if !waits {
            self.origin += self.awaited.elapsed().saturating_sub(PAUSE);
        }
        self.io.changed = false;
        let waker = Waker::from(Arc::clone(&wakers));
        let result = poll(self, &mut Context::from_waker(&waker));
        self.awaited = Instant::now();
        if let Some(shared) = &mut self.shared {
            shared.waits[side as usize] = result.is_pending();
        }
        if result.is_ready() {
            wakers.set(side, None);
        }
        if self.io.changed {
            wakers.wake_other(side);
        }
        result
    }

    /// Makes a turn. Ready with whether the connection goes on; a stream that fails ends it.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let result = ready!(self.poll_turn(cx));
        self.io.changed = true;
        Poll::Ready(result.unwrap_or_else(|error| {
            self.fail(error);
            false
        }))
    }

    /// The next message, and at the end the error once, if the end is not clean.
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        let mut over = false;
        loop {
            if self.io.terminated {
                return Poll::Ready(None);
            }
            if self.ready() {
                // Messages that were read before touch no stream of tokio, so they are counted here.
                let budget = ready!(coop::poll_proceed(cx));
                budget.made_progress();
                self.io.changed = true;
                let event = self.take_event().and_then(|(incoming, _)| Message::copied(&incoming));
                if let Some(message) = event {
                    return Poll::Ready(Some(Ok(message)));
                }
                continue;
            }
            if over {
                self.io.terminated = true;
                return Poll::Ready(self.failure().map(Err));
            }
            over = !ready!(self.poll_step(cx));
        }
    }

    /// The error of an end that is not clean.
    fn failure(&mut self) -> Option<Error> {
        let ending = self.endpoint.ending()?;
        if ending.closure.clean {
            return None;
        }
        // The side that sends may have returned the error before, and has left its kind.
        let error = self.io.error.take().or_else(|| self.io.broken.take()).map(Error::Io);
        Some(error.unwrap_or_else(|| Error::Ended(Box::new(ending))))
    }

    /// The error for a message that can no longer be sent.
    pub(crate) fn closed(&mut self) -> Error {
        match self.io.error.take().or_else(|| self.io.broken.take()) {
            Some(error) => {
                // `next` reports the end, too.
                self.io.broken = Some(error.kind().into());
                Error::Io(error)
            }
            None => Error::Closed,
        }
    }

    /// Sends the message that is held, if there is room.
    pub(crate) fn send_held(&mut self) -> bool {
        let Some(Shared { held: slot @ Some(_), lost, .. }) = self.shared.as_deref_mut() else {
            return false;
        };
        let Some(message) = slot.as_ref() else { return false };
        match self.endpoint.send(message.as_data()) {
            Err(SendError::Full | SendError::NotOpen | SendError::MessageOpen) => return false,
            Err(_) => *lost = true,
            Ok(()) => {}
        }
        *slot = None;
        true
    }

    pub(crate) fn holds(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.held.is_some())
    }

    fn take_lost(&mut self) -> bool {
        self.shared.as_mut().is_some_and(|shared| std::mem::take(&mut shared.lost))
    }

    /// Waits for room. While there is some, nothing is read here: a Close that was read would keep
    /// an answer from being sent to the message before it.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.take_lost() || self.io.broken.is_some() || self.io.error.is_some() {
                return Poll::Ready(Err(self.closed()));
            }
            let room = if self.holds() { Err(SendError::Full) } else { self.room() };
            match room {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(SendError::Full | SendError::NotOpen) => _ = ready!(self.poll_step(cx)),
                Err(SendError::Closing) => return Poll::Ready(Err(self.closed())),
                Err(error) => return Poll::Ready(Err(Error::Send(error))),
            }
        }
    }

    /// Takes a message, and keeps it if there is no room.
    fn accept_message(&mut self, message: Message) -> Result<(), Error> {
        if self.holds() {
            return Err(Error::Send(SendError::Full));
        }
        match self.endpoint.send(message.as_data()) {
            Ok(()) => Ok(()),
            Err(SendError::Full) => {
                self.shared.get_or_insert_default().held = Some(message);
                Ok(())
            }
            Err(SendError::Closing) => Err(self.closed()),
            Err(error) => Err(Error::Send(error)),
        }
    }

    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.take_lost() {
                return Poll::Ready(Err(self.closed()));
            }
            if !self.holds() && self.flushed() {
                return Poll::Ready(Ok(()));
            }
            if !ready!(self.poll_step(cx)) {
                let clean = self.endpoint.ending().is_some_and(|ending| ending.closure.clean);
                let lost = self.take_lost() || self.holds();
                return Poll::Ready(if clean && !lost { Ok(()) } else { Err(self.closed()) });
            }
        }
    }

    fn poll_closed(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
        reason: &str,
    ) -> Poll<Result<(), Error>> {
        while self.holds() && ready!(self.poll_step(cx)) {}
        match self.endpoint.close(code, reason) {
            Ok(()) | Err(SendError::Closing) => self.poll_flushed(cx),
            Err(error) => Poll::Ready(Err(Error::Send(error))),
        }
    }
}

/// Received messages. A Close ends the stream; an end that is not clean is one error before it.
///
/// The stream and the [`Sink`] of one value may be split by `futures` and polled by two tasks.
/// [`WebSocket::into_split`] does the same without that crate.
///
/// A `Stream` or a `Sink` that returned `Pending` counts as awaited until it is polled again, because
/// it is not told that a future around it was dropped. The methods of the halves are.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Stream for WebSocket<S, R> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_side(Side::Receiver, cx, Self::poll_message)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> FusedStream for WebSocket<S, R> {
    fn is_terminated(&self) -> bool {
        self.io.terminated
    }
}

/// Messages to send. Closing sends a Close 1000 and waits until that is written, not for the
/// answer: poll the stream to its end for that.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role, M: Into<Message>> Sink<M> for WebSocket<S, R> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_side(Side::Sender, cx, Self::poll_room)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        self.get_mut().accept_message(message.into())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_side(Side::Sender, cx, Self::poll_flushed)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut()
            .poll_side(Side::Sender, cx, |ws, cx| ws.poll_closed(cx, CloseCode::NORMAL, ""))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Splits into two owned halves for two tasks.
    ///
    /// There is still no task behind them: Pings are answered and time limits are kept while a
    /// method of either half is awaited. Keep a task in [`ReadHalf::next`].
    ///
    /// ```
    /// use tokio::io::{AsyncRead, AsyncWrite};
    /// use websocket_proto_tokio::{CloseCode, Error, Server, WebSocket};
    ///
    /// async fn greet<S>(ws: WebSocket<S, Server>) -> Result<(), Error>
    /// where
    ///     S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    /// {
    ///     let (mut receiver, mut sender) = ws.into_split();
    ///     tokio::spawn(async move {
    ///         sender.send("hello").await?;
    ///         sender.close(CloseCode::NORMAL, "bye").await
    ///     });
    ///     while let Some(message) = receiver.next().await {
    ///         println!("{:?}", message?);
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = greet::<tokio::io::DuplexStream>;
    /// ```
    #[must_use]
    pub fn into_split(self) -> (ReadHalf<S, R>, WriteHalf<S, R>) {
        let whole = Arc::new(Mutex::new(self));
        (ReadHalf(Half(Arc::clone(&whole))), WriteHalf(Half(whole)))
    }
}

/// The lock is held only while one side is polled, which does not wait.
struct Half<S, R>(Arc<Mutex<WebSocket<S, R>>>);

impl<S, R> Half<S, R> {
    fn lock(&self) -> MutexGuard<'_, WebSocket<S, R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Half<S, R> {
    /// Waits as one side.
    async fn wait<T>(
        &self,
        side: Side,
        mut poll: impl FnMut(&mut WebSocket<S, R>, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        let _waiter = Waiter(self, side);
        poll_fn(|cx| self.lock().poll_side(side, cx, &mut poll)).await
    }
}

/// Notes when a future that waits as one side is dropped.
struct Waiter<'a, S, R>(&'a Half<S, R>, Side);

impl<S, R> Drop for Waiter<'_, S, R> {
    fn drop(&mut self) {
        let mut ws = self.0.lock();
        let Some(shared) = &mut ws.shared else { return };
        if std::mem::take(&mut shared.waits[self.1 as usize]) {
            shared.wakers.set(self.1, None);
            ws.awaited = Instant::now();
        }
    }
}

/// The half of a [`WebSocket`] that receives: see [`WebSocket::into_split`].
pub struct ReadHalf<S, R>(Half<S, R>);

/// The half of a [`WebSocket`] that sends: see [`WebSocket::into_split`].
pub struct WriteHalf<S, R>(Half<S, R>);

impl<S, R> Unpin for ReadHalf<S, R> {}
impl<S, R> Unpin for WriteHalf<S, R> {}

impl<S, R> std::fmt::Debug for ReadHalf<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<S, R> std::fmt::Debug for WriteHalf<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> ReadHalf<S, R> {
    /// Waits for the next message. `None` is the end, which [`ending`](ReadHalf::ending) describes.
    /// An end that is not clean is one error before it. The future may be dropped at any time.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        self.0.wait(Side::Receiver, WebSocket::poll_message).await
    }

    /// How the connection ended; `None` before.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.0.lock().endpoint.ending()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Stream for ReadHalf<S, R> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.lock().poll_side(Side::Receiver, cx, WebSocket::poll_message)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> FusedStream for ReadHalf<S, R> {
    fn is_terminated(&self) -> bool {
        self.0.lock().io.terminated
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WriteHalf<S, R> {
    /// Waits for room, takes the message, and writes as much as the stream takes at once. The rest
    /// is written while a method of either half is awaited.
    ///
    /// If the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the stream failed, [`Error::Closed`] if the connection is closing or has
    /// ended, [`Error::Send`] otherwise.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let mut message = Some(message.into());
        let send = |ws: &mut WebSocket<S, R>, cx: &mut Context<'_>| {
            ready!(ws.poll_room(cx))?;
            message.take().map_or(Ok(()), |message| ws.accept_message(message))?;
            // What the stream does not take now stays in the output.
            match ws.poll_flushed(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => Poll::Ready(Ok(())),
            }
        };
        self.0.wait(Side::Sender, send).await
    }

    /// Waits until all that was sent is written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the stream failed, [`Error::Closed`] if the connection ended before.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.0.wait(Side::Sender, WebSocket::poll_flushed).await
    }

    /// Sends a Close after all that was sent, and waits until it is written. The connection ends
    /// while the [`ReadHalf`] is awaited. If that was dropped, this waits for the end.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if `reason` is longer than 123 bytes; otherwise as for
    /// [`flush`](WriteHalf::flush).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let close = |ws: &mut WebSocket<S, R>, cx: &mut Context<'_>| {
            ready!(ws.poll_closed(cx, code, reason))?;
            if Arc::strong_count(&self.0.0) == 1 {
                while let Some(message) = ready!(ws.poll_message(cx)) {
                    message?;
                }
            }
            Poll::Ready(Ok(()))
        };
        self.0.wait(Side::Sender, close).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role, M: Into<Message>> Sink<M> for WriteHalf<S, R> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.lock().poll_side(Side::Sender, cx, WebSocket::poll_room)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        self.0.lock().accept_message(message.into())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.lock().poll_side(Side::Sender, cx, WebSocket::poll_flushed)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0
            .lock()
            .poll_side(Side::Sender, cx, |ws, cx| ws.poll_closed(cx, CloseCode::NORMAL, ""))
    }
}
