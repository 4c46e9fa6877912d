//! The sending half: messages become output, of which a limited amount may wait.

use alloc::{boxed::Box, vec::Vec};

use super::{
    Phase, boxed,
    clock::Clock,
    compression::{AnyCompress, Codec, Compression, serves},
    options::{Options, Settings},
    report::Report,
    room::Room,
    trace::Trace,
};
use crate::{
    agreed::Agreed,
    close::{CloseCode, CloseFrame},
    closing::{NextStep, State},
    connection::Connection,
    deflate::Deflater,
    error::{InternalError, SendError},
    event::Data,
    message::Message,
    prepared::Prepared,
    role::{Role, Server},
};

/// The half of an [`Endpoint`](super::Endpoint) that sends. Received messages do not borrow from
/// it.
///
/// [`Endpoint::receive`](super::Endpoint::receive) lends it with each event, and the endpoint has
/// the same methods. What is sent is appended to the [output](Sender::output).
///
/// # Errors
///
/// A method that sends returns an error when the call does not fit the state or its arguments.
/// Nothing was appended then, and nothing changed.
///
/// - [`SendError::NotOpen`]: the opening handshake is not done.
/// - [`SendError::Closing`]: a Close was sent or received, or the connection has ended.
/// - [`SendError::Full`]: too much output [waits](super::Options::water_marks). The first message
///   that is sent after an event was received never gets this error, unless there is no memory, or
///   the endpoint has sent a control frame of its own in between.
///
/// ```
/// use websocket_proto::endpoint::{Endpoint, Incoming, Options, Sender};
/// use websocket_proto::{Agreed, Role, SendError, Server};
///
/// fn answer<R: Role>(incoming: Incoming<'_>, sender: &mut Sender<R>) -> Result<(), SendError> {
///     match incoming {
///         Incoming::Text(text) => sender.text(text),
///         Incoming::Binary(data) => sender.binary(data),
///         _ => Ok(()),
///     }
/// }
///
/// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
/// let mut read = *b"\x81\x82\0\0\0\0hi";
/// let mut input = &mut read[..];
/// while let Some((incoming, sender)) = ws.receive(&mut input) {
///     answer(incoming, sender)?;
/// }
/// assert_eq!(ws.output(), b"\x81\x02hi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("sink", "split", "write"))]
pub struct Sender<R> {
    pub(super) connection: Connection<R>,
    pub(super) phase: Phase,
    /// Whether nothing unusual is going on: the connection is open and not compressed, nothing is
    /// held back, and no end of stream was reported. A call then checks only the connection and the
    /// output. [`refresh`](Sender::refresh) sets it; whatever makes it untrue clears it.
    pub(super) plain: bool,
    pub(super) room: Room,
    /// Whether input that was read waits inside.
    pub(super) holding: bool,
    /// Whether there is an [`Inside`](super::inside::Inside), which a call that receives has to
    /// free.
    pub(super) cluttered: bool,
    /// Whether the end of the peer's stream was reported.
    pub(super) eof: bool,
    /// Whether the transport broke, so that nothing more can be written. The connection ends once
    /// all input from before was received.
    pub(super) broken: bool,
    /// Whether to free memory, because the connection is idle.
    pub(super) idle: bool,
    /// The output. Its first `written` bytes were written or handed out already.
    pub(super) out: Vec<u8>,
    pub(super) written: usize,
    /// The number of bytes that were handed out in a buffer and are not written yet.
    pub(super) handed_out: usize,
    /// How many bytes of output may wait before there is less [`Room`].
    pub(super) mark: usize,
    /// The endpoint's own deflater, if it has one.
    pub(super) deflater: Option<Box<Deflater<AnyCompress>>>,
    pub(super) settings: Options,
    pub(super) clock: Option<Clock>,
    pub(super) report: Option<Box<Report>>,
    pub(super) trace: Option<Box<Trace>>,
}

impl<R: Role> Sender<R> {
    pub(super) fn new(role: R, options: &Options, phase: Phase) -> Self {
        Sender {
            connection: Connection::new(role, &options.0.config, Agreed::new()),
            phase,
            plain: false,
            room: Room::Free,
            holding: false,
            cluttered: phase != Phase::Open,
            eof: false,
            broken: false,
            idle: false,
            out: Vec::new(),
            written: 0,
            handed_out: 0,
            mark: options.0.high_water,
            deflater: None,
            settings: options.clone(),
            clock: None,
            report: None,
            trace: None,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings.0
    }

    /// Opens the connection with what the handshake agreed.
    pub(super) fn open(
        &mut self,
        agreed: Agreed,
        inflater: &mut Option<Box<Codec>>,
    ) -> Result<(), InternalError> {
        let Settings { compression, keep, .. } = &*self.settings.0;
        if !serves(compression.as_ref(), agreed, R::CLIENT) {
            return Err(InternalError::NoInflater);
        }
        if let (Some(_), Some(Compression { shared: false, codecs, .. })) =
            (agreed.deflate, compression)
        {
            *inflater = Some(boxed(codecs.inflater()));
            self.deflater = Some(boxed(codecs.deflater(*keep)));
        }
        self.connection.agree(agreed);
        self.phase = Phase::Open;
        let handshake = self.output().len();
        if let Some(trace) = &mut self.trace {
            trace.opened(handshake);
        }
        self.refresh();
        Ok(())
    }

    /// The compression in use.
    fn compression(&self) -> Option<&Compression> {
        let compression = self.settings().compression.as_ref();
        compression.filter(|_| self.connection.agreed().deflate.is_some())
    }

    /// Whether inflaters are leased, and not the endpoint's own.
    pub(super) fn leases(&self) -> bool {
        self.compression().is_some_and(|compression| compression.shared)
    }

    /// Returns an inflater for one call, if compression is in use.
    pub(super) fn lease(&self) -> Option<Box<Codec>> {
        self.compression().map(|compression| boxed(compression.codecs.inflater()))
    }

    /// Records what a message means for the connection, and appends the answer that is owed.
    #[inline(never)]
    pub(super) fn note<'m>(&mut self, message: Message<'m>) -> Message<'m> {
        match &message {
            Message::Text(_) | Message::Binary(_) => return message,
            Message::Close(close) => self.report().received = *close,
            _ => {}
        }
        self.settle();
        message
    }

    /// Appends what is owed to the output, and lets the end of stream take effect once nothing that
    /// can be written waits.
    pub(super) fn settle(&mut self) {
        if self.phase == Phase::Open {
            if self.broken {
                if !self.holding {
                    self.connection.abort();
                }
            } else if self.connection.wants_transmit() {
                // If there is no room now, this is tried again after the next event, write or tick.
                let _ = self.connection.transmit(&mut self.out);
                self.measure();
            }
            let nothing_waits = self.waiting() == 0 && !self.connection.wants_transmit();
            if self.eof && !self.holding && nothing_waits {
                self.connection.receive_eof();
            }
        }
        self.refresh();
    }

    /// Records that there is an `Inside`.
    pub(super) const fn clutter(&mut self) {
        (self.cluttered, self.plain) = (true, false);
    }

    pub(super) fn refresh(&mut self) {
        self.plain = !self.cluttered && self.is_straight();
    }

    /// Whether nothing unusual is going on, except that there may be something inside.
    #[inline]
    pub(super) fn is_straight(&self) -> bool {
        self.phase == Phase::Open
            && self.room == Room::Free
            && !self.eof
            && !self.connection.wants_transmit()
            && self.connection.agreed().deflate.is_none()
            && self.trace.is_none()
    }

    /// Returns whether a message, or a fragment of the one that is open, can be sent now, or the
    /// error that it would get. A `Sink` is ready if there is none, and waits while it is
    /// [`Full`](SendError::Full).
    ///
    /// # Errors
    ///
    /// See [`Sender`].
    #[doc(alias("poll_ready", "writable"))]
    pub fn can_send(&self) -> Result<(), SendError> {
        self.check()?;
        if self.connection.state() == State::Open { Ok(()) } else { Err(SendError::Closing) }
    }

    /// Checks the conditions for sending that the connection does not know of.
    fn check(&self) -> Result<(), SendError> {
        match self.phase {
            Phase::Head | Phase::Deciding => Err(SendError::NotOpen),
            Phase::Open if self.broken => Err(SendError::Closing),
            Phase::Open if self.room.is_full() && self.connection.state() == State::Open => {
                Err(SendError::Full)
            }
            // The connection checks the rest.
            Phase::Open => Ok(()),
            Phase::Answered | Phase::Draining | Phase::Ended => Err(SendError::Closing),
        }
    }

    /// Sends a text message (§5.6). It is compressed if that was agreed on and the message is
    /// [long enough](Compression::threshold).
    ///
    /// # Errors
    ///
    /// See [`Sender`]; [`SendError::MessageOpen`] while a fragmented message is open.
    #[inline]
    pub fn text(&mut self, text: &str) -> Result<(), SendError> {
        self.send(Data::Text(text))
    }

    /// Sends a binary message (§5.6): see [`text`](Sender::text).
    ///
    /// # Errors
    ///
    /// As for [`text`](Sender::text).
    #[inline]
    pub fn binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.send(Data::Binary(data))
    }

    /// Sends a message of either kind (§5.6): see [`text`](Sender::text).
    ///
    /// # Errors
    ///
    /// As for [`text`](Sender::text).
    #[inline]
    pub fn send(&mut self, data: Data<'_>) -> Result<(), SendError> {
        if !self.plain {
            return self.send_otherwise(data);
        }
        self.connection.send(data, &mut self.out)?;
        self.measure();
        Ok(())
    }

    #[inline(never)]
    fn send_otherwise(&mut self, data: Data<'_>) -> Result<(), SendError> {
        let threshold = self.compression().map(|compression| compression.threshold);
        if threshold.is_none_or(|threshold| data.as_bytes().len() < threshold) {
            return self.send_uncompressed(data);
        }
        self.compressed(|connection, deflater, out| connection.send_compressed(data, deflater, out))
    }

    /// Sends a message without compressing it, whatever was agreed. Use it for a message that mixes
    /// a secret with what others may choose, because the compressed length would tell of the secret
    /// (RFC 7692 §8).
    ///
    /// # Errors
    ///
    /// As for [`text`](Sender::text).
    pub fn send_uncompressed(&mut self, data: Data<'_>) -> Result<(), SendError> {
        self.check()?;
        self.connection.send(data, &mut self.out)?;
        self.sent();
        Ok(())
    }

    /// Sends one fragment of a message, the last one if `last` (§5.4). Control frames may go
    /// between fragments. If compression was agreed on, all fragments are compressed.
    ///
    /// # Errors
    ///
    /// See [`Sender`]; [`SendError::MessageOpen`] if the open message is of the other kind.
    #[doc(alias = "stream")]
    pub fn fragment(&mut self, data: Data<'_>, last: bool) -> Result<(), SendError> {
        if self.compression().is_some() {
            return self.compressed(|connection, deflater, out| {
                connection.send_compressed_fragment(data, last, deflater, out)
            });
        }
        self.check()?;
        self.connection.send_fragment(data, last, &mut self.out)?;
        self.sent();
        Ok(())
    }

    /// Sends with the endpoint's own deflater, or with one that is leased.
    fn compressed(
        &mut self,
        send: impl FnOnce(
            &mut Connection<R>,
            &mut Deflater<AnyCompress>,
            &mut Vec<u8>,
        ) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        self.check()?;
        let Sender { connection, deflater, out, settings, .. } = self;
        let Settings { compression, keep, .. } = &*settings.0;
        match (deflater, compression) {
            (Some(deflater), _) => send(connection, deflater, out)?,
            (None, Some(compression)) => {
                send(connection, &mut compression.codecs.deflater(*keep), out)?;
            }
            (None, None) => return Err(SendError::Codec),
        }
        self.sent();
        Ok(())
    }

    /// Sends a Ping with at most 125 bytes of payload (§5.5.2). [`Limit::Idle`](crate::Limit::Idle)
    /// sends Pings without this call.
    ///
    /// # Errors
    ///
    /// See [`Sender`]; [`SendError::ControlTooLong`] for a longer payload.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check()?;
        self.connection.ping(payload, &mut self.out)?;
        self.sent();
        Ok(())
    }

    /// Sends a Pong with at most 125 bytes of payload (§5.5.3): one that is not asked for, or the
    /// answer to a Ping if [automatic ones](crate::Config::auto_pong) are off.
    ///
    /// # Errors
    ///
    /// As for [`ping`](Sender::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check()?;
        self.connection.pong(payload, &mut self.out)?;
        self.sent();
        Ok(())
    }

    /// Sends a Close (§7.1.2). Go on driving the endpoint until its [next step](Sender::next_step)
    /// is to drop the transport. A Close is sent however much output waits.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], [`SendError::Closing`]; [`SendError::ReasonTooLong`] if `reason` is
    /// longer than 123 bytes; [`SendError::InvalidCloseCode`] for 1010 from a server.
    #[doc(alias = "shutdown")]
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        match self.check() {
            Ok(()) | Err(SendError::Full) => {}
            Err(error) => return Err(error),
        }
        let close = CloseFrame::new(code, reason)?;
        self.connection.close(Some(&close), &mut self.out)?;
        self.measure();
        self.report().sent = Some(close);
        self.settle();
        Ok(())
    }

    /// Whether no messages are received now. After the last event all input is discarded, so there
    /// is nothing to wait for.
    pub(super) fn is_blocked(&self) -> bool {
        let unread = match self.room {
            Room::Free | Room::Full => false,
            Room::Answer => self.waiting() > self.mark,
            Room::Blocked => true,
        };
        unread && self.connection.next_step() == NextStep::Continue || self.phase == Phase::Deciding
    }

    /// Whether to read: see [`Endpoint::wants_read`](super::Endpoint::wants_read).
    pub(super) fn wants_read(&self) -> bool {
        let open = match self.phase {
            Phase::Open => self.connection.state() != State::Closed,
            Phase::Head | Phase::Answered | Phase::Draining => true,
            Phase::Deciding | Phase::Ended => false,
        };
        open && !(self.is_blocked() || self.holding && self.phase == Phase::Open || self.eof)
    }
}

impl Sender<Server> {
    /// Sends a message that was prepared for many connections. It is copied to the output.
    ///
    /// # Errors
    ///
    /// As for [`text`](Sender::text); [`SendError::NotAgreed`] if the message is compressed and the
    /// peer could not read it, or could not read later messages.
    #[doc(alias("broadcast", "publish"))]
    pub fn prepared(&mut self, message: &Prepared) -> Result<(), SendError> {
        self.check()?;
        let frame = self.connection.prepared(message)?;
        self.out.try_reserve(frame.len()).map_err(|_| SendError::Full)?;
        self.out.extend_from_slice(frame);
        self.sent();
        Ok(())
    }
}
