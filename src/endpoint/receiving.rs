//! The receiving half: input becomes events.

use alloc::boxed::Box;
use core::mem;

use super::{
    Endpoint, Inbox, Phase, boxed,
    compression::Codec,
    incoming::Incoming,
    inside::{Announcement, Found, Inside},
    kept::{self, Kept},
    options::Settings,
    sending::Sender,
};
use crate::{
    closing::State,
    error::InternalError,
    event::{Data, Kind},
    handshake::HandshakeError,
    join::Messages,
    message::{Message, OwnedMessage},
    role::Role,
};

impl<R: Role> Endpoint<R> {
    /// Takes what was read off the front of `input`, and returns the next event with the [`Sender`]
    /// that answers it. `None` means that all of `input` was taken: its memory is free for the next
    /// read.
    ///
    /// Call it until it returns `None`: after each read, and with an empty input after each write,
    /// because events are held back while too much output waits. A payload is unmasked where it
    /// lies.
    ///
    /// The sender is lent so that a message can be answered while it is borrowed. Do not swap the
    /// senders of two endpoints: that mixes two connections.
    #[doc(alias("read", "poll", "next"))]
    #[inline(always)]
    pub fn receive<'m, 'i: 'm>(
        &'m mut self,
        input: &mut &'i mut [u8],
    ) -> Option<(Incoming<'m>, &'m mut Sender<R>)> {
        let Endpoint { inbox, sender } = self;
        if sender.plain {
            let is_empty = input.is_empty();
            match inbox.messages.receive_whole(&mut sender.connection, input) {
                Some(Data::Text(text)) => return Some((Incoming::Text(text), sender)),
                Some(Data::Binary(data)) => return Some((Incoming::Binary(data), sender)),
                // Usually the last call of a turn has an empty input and nothing to do.
                None if is_empty && inbox.messages.is_empty() => return None,
                None => {}
            }
        }
        let incoming = inbox.receive_otherwise(sender, input)?;
        sender.permit_answer();
        Some((incoming, sender))
    }

    /// Takes input until there is an event, and returns whether there is one. The next call of
    /// [`receive`](Endpoint::receive) with the same input returns it, unless a call in between
    /// sends so much that too much output waits, or ends the connection:
    /// [`receive_eof`](Endpoint::receive_eof), [`abort`](Endpoint::abort), or a
    /// [`tick`](Endpoint::tick) that finds a limit exceeded.
    ///
    /// This is for wrappers that lend events from a loop of theirs. The borrow checker refuses a
    /// loop that returns what `receive` lends and otherwise reads on. This call copies three kinds
    /// of messages that `receive` alone would lend: one that is inflated, one that begins and ends
    /// in this input in several frames, and one of more than 64 KiB that is complete in this input.
    ///
    /// ```
    /// # use std::io::{self, Read};
    /// use std::ops::Range;
    /// use websocket_proto::Server;
    /// use websocket_proto::endpoint::{Endpoint, Incoming};
    ///
    /// /// `read` is what of the buffer was read, but not received yet.
    /// fn next<'b>(
    ///     ws: &'b mut Endpoint<Server>,
    ///     stream: &mut impl Read,
    ///     buffer: &'b mut [u8],
    ///     read: &mut Range<usize>,
    /// ) -> io::Result<Option<Incoming<'b>>> {
    ///     loop {
    ///         let mut input = &mut buffer[read.clone()];
    ///         let ready = ws.ready(&mut input);
    ///         read.start = read.end - input.len();
    ///         if ready {
    ///             let mut input = &mut buffer[read.clone()];
    ///             let event = ws.receive(&mut input);
    ///             read.start = read.end - input.len();
    ///             return Ok(event.map(|(incoming, _)| incoming));
    ///         }
    ///         *read = 0..stream.read(buffer)?;
    ///         if read.is_empty() {
    ///             return Ok(None);
    ///         }
    ///     }
    /// }
    /// # use websocket_proto::{Agreed, endpoint::Options};
    /// # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    /// # let mut stream = &b"\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho"[..];
    /// # let (mut buffer, mut read) = ([0; 11], 0..0);
    /// # let event = next(&mut ws, &mut stream, &mut buffer, &mut read)?;
    /// # assert!(matches!(event, Some(Incoming::Text("hi"))));
    /// # let event = next(&mut ws, &mut stream, &mut buffer, &mut read)?;
    /// # assert!(matches!(event, Some(Incoming::Text("ho"))));
    /// # Ok::<(), io::Error>(())
    /// ```
    #[doc(alias("poll", "lending"))]
    #[inline]
    pub fn ready(&mut self, input: &mut &mut [u8]) -> bool {
        let Endpoint { inbox, sender } = self;
        sender.plain && sender.connection.has_whole_message(input)
            || inbox.ready_otherwise(sender, input)
    }

    /// Whether to read now, also if only the end of the stream is awaited. It is false while a
    /// request waits for its answer, while too much output waits, while input that was read is still
    /// inside, and when nothing more is expected.
    /// A call of [`receive`](Endpoint::receive) can make it true, when it has taken what was inside:
    /// ask after it, and again before you wait.
    ///
    /// If you read anyway, the bytes are kept at first. While a request waits for its answer, the
    /// handshake fails when they and the head are longer than a [head](super::Options::max_head) may
    /// be. Afterwards, the connection fails with [`InternalError::Unread`] when more waits than the
    /// longest head and the high [water mark](super::Options::water_marks) together. A read that is
    /// longer than that mark counts in its place, and a read into
    /// [`read_buffer`](Endpoint::read_buffer) counts as 64 KiB.
    #[must_use]
    #[doc(alias("backpressure", "readable"))]
    pub fn wants_read(&self) -> bool {
        self.sender.wants_read()
    }

    /// Returns a buffer to read into, in place of one of the driver's. Report with
    /// [`filled`](Endpoint::filled) how much was read. Then call [`receive`](Endpoint::receive) with
    /// an empty input until it returns `None`, also if nothing was read.
    ///
    /// The buffer has 16 KiB. It doubles when a read fills it, up to 64 KiB. It is shorter while a
    /// head is received that may not be as long, and empty if there is no memory. A read into an
    /// empty buffer looks like the end of the stream, so do not read then.
    ///
    /// The buffer takes its memory from this call on, so wait until the stream is readable before
    /// you call it. The first `receive` or [`tick`](Endpoint::tick) that has nothing left to receive
    /// frees the memory. Only after a read of 16 KiB or more is it kept, if it is no more than
    /// [`Options::keeping`](super::Options::keeping) allows, until a read is shorter or the
    /// connection is idle. With many connections, one buffer of yours for all takes less.
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use websocket_proto::Server;
    /// use websocket_proto::endpoint::Endpoint;
    ///
    /// /// Reads once from a stream that is readable.
    /// fn read(ws: &mut Endpoint<Server>, stream: &mut impl Read) {
    ///     let buffer = ws.read_buffer();
    ///     if buffer.is_empty() {
    ///         return ws.abort();
    ///     }
    ///     match stream.read(buffer) {
    ///         Ok(0) => ws.receive_eof(),
    ///         Ok(length) => ws.filled(length),
    ///         Err(error) if error.kind() == ErrorKind::WouldBlock => {}
    ///         Err(_) => ws.abort(),
    ///     }
    ///     while let Some((incoming, _)) = ws.receive(&mut &mut [][..]) {
    ///         println!("{incoming:?}");
    ///     }
    /// }
    /// # use websocket_proto::{Agreed, endpoint::Options};
    /// # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    /// # read(&mut ws, &mut &b"\x88\x80\0\0\0\0"[..]);
    /// # assert_eq!(ws.output(), b"\x88\x00");
    /// ```
    pub fn read_buffer(&mut self) -> &mut [u8] {
        // If less of the frame is to come, a read into a buffer also takes what follows it. One more
        // copy costs less than one more read.
        let direct = self.sender.connection.rest_of_binary() >= kept::MOST as u64;
        // The borrow checker refuses to return the result of `message_buffer` here.
        if direct && self.message_buffer().is_some() {
            return self.message_buffer().unwrap_or_default();
        }
        let Endpoint { inbox, sender } = self;
        inbox.clear(sender);
        sender.clutter();
        let inside = inbox.inside();
        let head = sender.settings.0.max_head.saturating_sub(inside.kept.len());
        inside.kept.room(if sender.phase == Phase::Head { head.max(1) } else { usize::MAX })
    }

    /// Returns the memory of a long binary message to read more of it into, if the next bytes are
    /// that. This saves a copy. `None` means that the next read goes to a buffer of yours.
    ///
    /// Report with [`filled`](Endpoint::filled) how much was read, and then call
    /// [`receive`](Endpoint::receive) with an empty input. [`read_from`](Endpoint::read_from)
    /// calls both for you, but not `receive`. With [`read_buffer`](Endpoint::read_buffer) you need
    /// not call this, because it returns the same memory while at least 64 KiB of the frame are to
    /// come.
    ///
    /// The memory is offered while at least 16 KiB of the frame are still to come. It is about as
    /// long as the message so far, between 16 and 64 KiB, and never longer than the rest of the
    /// frame.
    ///
    /// ```
    /// # use std::io::{self, Read};
    /// use websocket_proto::Server;
    /// use websocket_proto::endpoint::Endpoint;
    ///
    /// /// `buffer` serves all endpoints.
    /// fn read<'b>(
    ///     ws: &mut Endpoint<Server>,
    ///     stream: &mut impl Read,
    ///     buffer: &'b mut [u8],
    /// ) -> io::Result<&'b mut [u8]> {
    ///     if let Some(memory) = ws.message_buffer() {
    ///         let length = stream.read(memory)?;
    ///         ws.filled(length);
    ///         return Ok(&mut []);
    ///     }
    ///     let length = stream.read(buffer)?;
    ///     Ok(&mut buffer[..length])
    /// }
    /// # use websocket_proto::{Agreed, endpoint::{Incoming, Options}};
    /// # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    /// # let wire = [&b"\x82\xFF\0\0\0\0\0\x01\0\0\0\0\0\0"[..], &[7; 0x10000]].concat();
    /// # let (mut stream, mut buffer, mut reads) = (&wire[..], [0; 4096], 0);
    /// # loop {
    /// #     let mut input = read(&mut ws, &mut stream, &mut buffer)?;
    /// #     reads += 1;
    /// #     if let Some((incoming, _)) = ws.receive(&mut input) {
    /// #         assert!(matches!(incoming, Incoming::Binary(data) if data.len() == 0x10000));
    /// #         break;
    /// #     }
    /// # }
    /// # assert!(reads < 16 && stream.is_empty(), "{reads}");
    /// # Ok::<(), io::Error>(())
    /// ```
    #[doc(alias("zero-copy", "buffer"))]
    pub fn message_buffer(&mut self) -> Option<&mut [u8]> {
        let Endpoint { inbox, sender } = self;
        // The bytes that wait inside come before the next ones. If there is room behind them, a read
        // into it may be going on.
        let reads = inbox.inside.as_ref().is_some_and(|inside| inside.kept.has_room());
        if reads || sender.holding || sender.phase != Phase::Open {
            return None;
        }
        inbox.messages.read_buffer(&sender.connection)
    }

    /// Reports, once for each read, that `length` bytes were read into the front of the
    /// [`read_buffer`](Endpoint::read_buffer) or the [`message_buffer`](Endpoint::message_buffer).
    /// A greater `length` than the buffer has counts as all of it.
    pub fn filled(&mut self, length: usize) {
        if let Some(memory) = self.message_buffer() {
            let length = length.min(memory.len());
            self.inbox.inside().read = length;
            self.sender.holding = length > 0;
            self.sender.clutter();
            return;
        }
        let Endpoint { inbox, sender } = self;
        let Some(inside) = &mut inbox.inside else { return };
        let more = sender.holding;
        inside.kept.filled(length);
        sender.holding |= !inside.kept.is_empty();
        if inside.has_too_much(sender, more, kept::MOST) {
            inside.overflow(sender);
        }
    }
}

impl Inbox {
    #[inline(never)]
    fn receive_otherwise<'m, 'i: 'm, R: Role>(
        &'m mut self,
        sender: &mut Sender<R>,
        input: &mut &'i mut [u8],
    ) -> Option<Incoming<'m>> {
        if input.is_empty() && self.only_holds_input(sender) {
            return self.receive_kept(sender, true);
        }
        self.clear(sender);
        match &mut self.inside {
            Some(inside) if inside.overfull && inside.found.is_none() => inside.give_up(sender),
            _ => {}
        }
        if self.has_found() {
            return self.lend(sender, input);
        }
        match sender.phase {
            Phase::Head => {
                let inside = self.inside.as_deref_mut()?;
                let announcement = inside.receive_head(sender, &mut self.inflater, input)?;
                Some(inside.announce(announcement))
            }
            Phase::Deciding | Phase::Open => self.receive_message(sender, input),
            Phase::Answered | Phase::Draining | Phase::Ended => {
                mem::take(input);
                None
            }
        }
    }

    /// Returns the next message, from the bytes that are kept or else from the input.
    fn receive_message<'m, 'i: 'm, R: Role>(
        &'m mut self,
        sender: &mut Sender<R>,
        input: &mut &'i mut [u8],
    ) -> Option<Incoming<'m>> {
        let blocked = sender.is_blocked();
        if blocked || sender.holding {
            self.keep(sender, input);
            if self.has_found() {
                return self.lend(sender, input);
            }
        }
        if blocked {
            return None;
        }
        if self.receive_read(sender) {
            return self.lend(sender, input);
        }
        if sender.holding {
            return self.receive_kept(sender, false);
        }
        let message = next(&mut self.messages, &mut self.inflater, sender, input);
        Incoming::noted(message, sender)
    }

    /// Whether input waits inside, and nothing else is unusual: then the next message is in there,
    /// and there is nothing to free, to hand out or to hold back before it.
    fn only_holds_input<R: Role>(&self, sender: &Sender<R>) -> bool {
        let Some(inside) = self.inside.as_deref().filter(|_| sender.holding) else { return false };
        inside.found.is_none() && inside.read == 0 && !inside.overfull && sender.is_straight()
    }

    /// The next message out of the input that waits inside.
    fn receive_kept<R: Role>(
        &mut self,
        sender: &mut Sender<R>,
        straight: bool,
    ) -> Option<Incoming<'_>> {
        let Inbox { messages, inflater, inside } = self;
        let kept = &mut inside.as_deref_mut()?.kept;
        // Room would look like a read that is going on: see `message_buffer`.
        kept.close_room();
        let Kept { bytes, start, end, .. } = kept;
        let mut rest = bytes.get_mut(*start..*end).unwrap_or_default();
        let whole = straight.then(|| messages.receive_whole(&mut sender.connection, &mut rest));
        let message = match whole.flatten() {
            Some(data) => Some(Message::from(data)),
            None => next(messages, inflater, sender, &mut rest),
        };
        *start = end.saturating_sub(rest.len());
        sender.holding = !rest.is_empty();
        Incoming::noted(message, sender)
    }

    /// Receives what was read into the memory of a message, and returns whether that gave an event.
    fn receive_read<R: Role>(&mut self, sender: &mut Sender<R>) -> bool {
        let Some(inside) = self.inside.as_mut().filter(|inside| inside.read > 0) else {
            return false;
        };
        let read = mem::take(&mut inside.read);
        sender.holding = inside.holds(sender.phase);
        if let Some(trace) = &mut sender.trace {
            trace.skip(read);
        }
        let message = self.messages.receive_read(&mut sender.connection, read);
        let found = match message.map(|message| sender.note(message)) {
            Some(Message::Binary(_)) => Found::Joined(Kind::Binary),
            Some(Message::Failed(failure)) => Found::Message(OwnedMessage::Failed(failure)),
            _ => return false,
        };
        self.find(sender, found);
        true
    }

    fn inside(&mut self) -> &mut Inside {
        self.inside.get_or_insert_with(|| boxed(Inside::default()))
    }

    /// Keeps an event until it can be handed out.
    fn find<R: Role>(&mut self, sender: &mut Sender<R>, found: Found) {
        self.inside().found = Some(found);
        sender.holding = true;
        sender.clutter();
    }

    /// Keeps `input` until it can be received.
    #[cold]
    fn keep<R: Role>(&mut self, sender: &mut Sender<R>, input: &mut &mut [u8]) {
        let input = mem::take(input);
        if input.is_empty() {
            return;
        }
        let inside = self.inside();
        let more = sender.holding;
        let lost = inside.kept.push(input).is_err();
        sender.holding = true;
        sender.clutter();
        if lost || inside.has_too_much(sender, more, input.len()) {
            inside.overflow(sender);
        }
    }

    #[inline(never)]
    fn ready_otherwise<R: Role>(&mut self, sender: &mut Sender<R>, input: &mut &mut [u8]) -> bool {
        self.clear(sender);
        if self.has_found() {
            if self.is_held_back(sender) {
                self.keep(sender, input);
            }
            return !self.is_held_back(sender);
        }
        let event = match (sender.phase, &mut self.inside) {
            (Phase::Head, Some(inside)) => {
                let announcement = inside.receive_head(sender, &mut self.inflater, input);
                announcement.map(Found::Opening)
            }
            _ => {
                let joins = self.messages.is_joining();
                match self.receive_otherwise(sender, input) {
                    // A message that was begun before is complete in the memory where it was
                    // joined, and can stay there.
                    Some(Incoming::Text(_)) if joins => Some(Found::Joined(Kind::Text)),
                    Some(Incoming::Binary(_)) if joins => Some(Found::Joined(Kind::Binary)),
                    incoming => match incoming.map(Incoming::try_into_found) {
                        Some(Ok(found)) => found,
                        Some(Err(_)) => {
                            self.inside().give_up(sender);
                            return true;
                        }
                        None => None,
                    },
                }
            }
        };
        let Some(event) = event else { return false };
        self.find(sender, event);
        true
    }

    /// Whether [`ready`](Endpoint::ready) has found an event that was not handed out yet.
    fn has_found(&self) -> bool {
        self.inside.as_ref().is_some_and(|inside| {
            matches!(inside.found, Some(Found::Opening(_) | Found::Message(_) | Found::Joined(_)))
        })
    }

    /// Whether the event that [`ready`](Endpoint::ready) has found has to wait for room in the
    /// output.
    fn is_held_back<R: Role>(&self, sender: &Sender<R>) -> bool {
        let Some(inside) = &self.inside else { return false };
        // Events that need no answer from the application do not wait.
        let is_data = matches!(
            inside.found,
            Some(
                Found::Joined(_) | Found::Message(OwnedMessage::Text(_) | OwnedMessage::Binary(_))
            )
        );
        is_data && sender.is_blocked() && !inside.overfull
    }

    /// Returns the event that [`ready`](Endpoint::ready) has found.
    fn lend<R: Role>(
        &mut self,
        sender: &mut Sender<R>,
        input: &mut &mut [u8],
    ) -> Option<Incoming<'_>> {
        if self.is_held_back(sender) {
            self.keep(sender, input);
            return None;
        }
        let inside = self.inside.as_deref_mut()?;
        sender.holding = inside.holds(sender.phase);
        match inside.found.take()? {
            Found::Opening(announcement) => Some(inside.announce(announcement)),
            Found::Joined(kind) => self.messages.joined(kind).map(Message::from).map(Incoming::new),
            Found::Message(message) | Found::Lent(message) => {
                match inside.found.insert(Found::Lent(message)) {
                    Found::Lent(message) => Some(Incoming::new(message.as_message())),
                    _ => None,
                }
            }
        }
    }

    /// Discards what the previous call has lent, and frees memory that is not needed any more.
    pub(super) fn clear<R: Role>(&mut self, sender: &mut Sender<R>) {
        if sender.leases() {
            self.inflater = None;
        }
        let Some(inside) = &mut self.inside else { return };
        match inside.found {
            Some(Found::Lent(_)) => inside.found = None,
            // The answer was given without the application: it took too long, or the transport broke.
            Some(Found::Opening(Announcement::Request)) if sender.phase != Phase::Deciding => {
                inside.found = None;
                sender.holding = inside.holds(sender.phase);
            }
            _ => {}
        }
        if sender.phase == Phase::Open && inside.found.is_none() {
            inside.kept.reclaim();
        }
        let needed = match sender.phase {
            Phase::Head | Phase::Deciding => true,
            Phase::Open => {
                let keeps = inside.kept.is_busy(sender.settings().keep);
                inside.holds(sender.phase) || keeps && sender.connection.state() != State::Closed
            }
            Phase::Answered | Phase::Draining | Phase::Ended => false,
        };
        if !needed && inside.found.is_none() {
            self.inside = None;
            (sender.holding, sender.cluttered) = (false, false);
            sender.refresh();
        }
    }

    /// Frees the memory that an idle connection does not need.
    pub(super) fn rest<R: Role>(&mut self, sender: &mut Sender<R>) {
        if let Some(inside) = &mut self.inside {
            inside.kept.rest();
        }
        self.clear(sender);
        if sender.connection.in_progress().is_none() && !self.has_found() {
            self.messages = Messages::keeping(sender.settings().keep);
        }
    }
}

impl Inside {
    /// Whether too much is kept. A single read may be kept as long as it is; `more` says that this
    /// was not the first, and it had `read` bytes.
    fn has_too_much<R: Role>(&self, sender: &Sender<R>, more: bool, read: usize) -> bool {
        let Settings { max_head, high_water, .. } = *sender.settings();
        match sender.phase {
            Phase::Deciding => self.kept.end > max_head,
            // The read that ended a head may have been kept in two parts.
            Phase::Open => more && self.kept.len() > high_water.max(read).saturating_add(max_head),
            _ => false,
        }
    }

    /// Whether input waits to be received in this phase.
    pub(super) const fn holds(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Deciding | Phase::Open)
            && (self.overfull || self.read > 0 || !self.kept.is_empty())
    }

    /// Gives the connection up, once the message that was found was returned.
    fn overflow<R: Role>(&mut self, sender: &mut Sender<R>) {
        match self.found {
            Some(Found::Message(_) | Found::Joined(_)) => {
                (self.overfull, self.kept) = (true, Kept::default());
            }
            _ => self.give_up(sender),
        }
    }

    /// Gives the connection up, because more was read than can be kept.
    fn give_up<R: Role>(&mut self, sender: &mut Sender<R>) {
        (self.overfull, self.kept) = (false, Kept::default());
        sender.holding = true;
        self.found = Some(if sender.phase == Phase::Deciding {
            sender.fail_opening(HandshakeError::HeadTooLarge);
            Found::Opening(Announcement::Failed(HandshakeError::HeadTooLarge))
        } else {
            sender.connection.fail(InternalError::Unread);
            sender.settle();
            Found::Message(OwnedMessage::Failed(InternalError::Unread.into()))
        });
    }
}

/// Receives the next message from the core. No other function calls the core to receive.
fn next<'m, 'i: 'm, R: Role>(
    messages: &'m mut Messages<'static>,
    inflater: &'m mut Option<Box<Codec>>,
    sender: &mut Sender<R>,
    input: &mut &'i mut [u8],
) -> Option<Message<'m>> {
    if let Some(trace) = &mut sender.trace {
        trace.before_receiving(input);
    }
    if inflater.is_none() && !input.is_empty() && !sender.connection.has_whole_message(input) {
        *inflater = sender.lease();
    }
    let Sender { connection, trace, .. } = sender;
    let message = match inflater {
        None => messages.receive(connection, input),
        Some(inflater) => messages.receive_inflated(connection, inflater, input),
    };
    if let Some(trace) = trace {
        trace.after_receiving(input.len());
    }
    message
}
