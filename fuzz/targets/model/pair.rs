//! A connected pair over a wire that splits and delays, and a model of what each side sent. The
//! targets `pair_*` make any calls on it and state the properties that have to hold.

#![allow(dead_code, reason = "each target uses a part of it")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    str,
};

use crate::common::Keys;
use arbitrary::Arbitrary;
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Data, Deflate, Deflater, Inflater,
    Kind, MaskSource, Message, Messages, NextStep, Prepared, Role, SendError, Server, SliceOutput,
    State, WindowBits, ZlibCompress, ZlibDecompress,
};

/// A call on one side, or on the wire between both.
#[derive(Arbitrary, Clone, Debug)]
pub enum Call<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Fragment(&'a str, bool),
    Compressed(&'a str),
    CompressedFragment(&'a [u8], bool),
    NoRoom(&'a str, u8),
    /// A fragment whose payload the caller writes, as text or not.
    Frame(&'a [u8], bool, bool),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    Close(u16, &'a str),
    Deliver(u8),
    /// Sets how many masking keys are left: at most three, or an unlimited number.
    Keys(u8),
    Eof,
    Abort,
}

/// A source with a limited number of keys, which is shared with the model.
pub struct Few(Keys, Rc<Cell<usize>>);

impl MaskSource for Few {
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        self.1.set(self.1.get().checked_sub(1)?);
        self.0.mask_key()
    }
}

pub trait OwnFrame {
    fn own_frame(
        &mut self,
        kind: Kind,
        payload: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError>;
}

impl OwnFrame for Connection<Server> {
    fn own_frame(
        &mut self,
        kind: Kind,
        payload: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let data = match kind {
            Kind::Text => Data::Text(str::from_utf8(payload).map_err(|_| SendError::InvalidUtf8)?),
            Kind::Binary => Data::Binary(payload),
        };
        out.extend_from_slice(&self.frame(data, last)?);
        out.extend(payload);
        Ok(())
    }
}

impl OwnFrame for Connection<Client<Few>> {
    fn own_frame(
        &mut self,
        kind: Kind,
        payload: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let mut masked = payload.to_vec();
        let header = self.frame_in_place(kind, last, &mut masked);
        if header.is_err() {
            assert_eq!(masked, payload);
        }
        out.extend_from_slice(&header?);
        out.extend(masked);
        Ok(())
    }
}

struct Codecs {
    inflater: Inflater<ZlibDecompress>,
    deflater: Deflater<ZlibCompress>,
}

impl Codecs {
    fn new(shared: bool) -> Rc<RefCell<Self>> {
        let (inflate, deflate) = (ZlibDecompress::new(), ZlibCompress::new(1));
        Rc::new(RefCell::new(if shared {
            Codecs {
                inflater: Inflater::shared(inflate),
                deflater: Deflater::shared(deflate).threshold(3),
            }
        } else {
            Codecs {
                inflater: Inflater::own(inflate),
                deflater: Deflater::own(deflate).threshold(3),
            }
        }))
    }
}

/// The state of a connection as it reports it: state, next step, and whether something is owed.
pub type Told = (State, NextStep, bool);

/// A message or a Ping: its kind and its payload.
pub type Item = (&'static str, Vec<u8>);

/// The checks that a target makes while a pair runs. The model itself asserts nothing.
pub trait Watch {
    /// A call returned `result`, and appended `length` bytes.
    fn called(&mut self, _: &Called<'_>) {}

    /// `transmit` was called.
    fn transmitted(&mut self, _: &Called<'_>) {}

    /// A side received an item. `sent` is the next one that the other side sent.
    fn received(&mut self, _sent: Option<Item>, _received: Item) {}

    /// A side received a Pong. `sent` is the next one that the other side sent or owed.
    fn pong(&mut self, _sent: Option<Vec<u8>>, _received: &[u8]) {}

    /// A side received a Close. So many items of the other side were not received before it.
    fn closed(&mut self, _left: usize) {}
}

/// A call and its result.
pub struct Called<'a> {
    /// `None` is a call of `transmit`.
    pub call: Option<&'a Call<'a>>,
    pub result: Result<(), SendError>,
    pub length: usize,
    pub before: Told,
    pub after: Told,
    /// Whether a message was open before.
    pub open: bool,
    /// The number of masking keys before and after the call.
    pub keys: (usize, usize),
}

pub struct Side<'b, R> {
    pub connection: Connection<R>,
    messages: Messages<'b>,
    /// The codecs of this side, or those that both sides share.
    codecs: Rc<RefCell<Codecs>>,
    /// How many masking keys are left. A server needs none.
    keys: Rc<Cell<usize>>,
    /// Bytes on the way to the other side.
    pub wire: VecDeque<u8>,
    /// Items that the other side has yet to receive.
    pub expected: VecDeque<Item>,
    /// The message of which fragments were sent, but not the last one.
    open: Option<Vec<u8>>,
    /// The Pongs that the other side has yet to receive. Only the last one may still be owed.
    pub pongs: VecDeque<Vec<u8>>,
}

impl<'b, R: Role> Side<'b, R>
where
    Connection<R>: OwnFrame,
{
    fn new(
        role: R,
        keys: Rc<Cell<usize>>,
        agreed: Agreed,
        messages: Messages<'b>,
        codecs: Rc<RefCell<Codecs>>,
    ) -> Self {
        Side {
            connection: Connection::new(role, &Config::new(), agreed),
            messages,
            codecs,
            keys,
            wire: VecDeque::new(),
            expected: VecDeque::new(),
            open: None,
            pongs: VecDeque::new(),
        }
    }

    pub fn told(&self) -> Told {
        let connection = &self.connection;
        (connection.state(), connection.next_step(), connection.wants_transmit())
    }

    fn call(&mut self, call: &Call<'_>, watch: &mut dyn Watch) {
        let (before, keys, was_open) = (self.told(), self.keys.get(), self.open.is_some());
        let Side { connection, expected, open, pongs, .. } = self;
        let (deflater, mut out) = (&mut self.codecs.borrow_mut().deflater, Vec::new());
        let (text, binary) = (|text| Data::Text(text), |data| Data::Binary(data));
        let (result, sent) = match *call {
            Call::Text(data) => (connection.send_text(data, &mut out), Some((text(data), true))),
            Call::Binary(data) => {
                (connection.send_binary(data, &mut out), Some((binary(data), true)))
            }
            Call::Compressed(data) => {
                let result = connection.send_compressed(text(data), deflater, &mut out);
                (result, Some((text(data), true)))
            }
            Call::Fragment(data, last) => {
                let result = connection.send_fragment(text(data), last, &mut out);
                (result, Some((text(data), last)))
            }
            Call::CompressedFragment(data, last) => {
                let data = binary(data);
                let result = connection.send_compressed_fragment(data, last, deflater, &mut out);
                (result, Some((data, last)))
            }
            Call::NoRoom(data, room) => {
                let mut memory = vec![0; usize::from(room)];
                let mut small = SliceOutput::new(&mut memory);
                let result = connection.send_compressed(text(data), deflater, &mut small);
                out.extend_from_slice(small.written());
                (result, Some((text(data), true)))
            }
            Call::Frame(data, is_text, last) => {
                let kind = if is_text { Kind::Text } else { Kind::Binary };
                let result = connection.own_frame(kind, data, last, &mut out);
                let data = match str::from_utf8(data) {
                    Ok(data) if is_text => text(data),
                    _ => binary(data),
                };
                (result, Some((data, last)))
            }
            Call::Ping(payload) => {
                let result = connection.ping(payload, &mut out);
                if result.is_ok() {
                    expected.push_back(("ping", payload.to_vec()));
                }
                (result, None)
            }
            Call::Pong(payload) => {
                let result = connection.pong(payload, &mut out);
                if result.is_ok() {
                    pongs.push_back(payload.to_vec());
                }
                (result, None)
            }
            Call::Close(code, reason) => {
                let close = CloseCode::new(code).map(|code| CloseFrame::truncated(code, reason));
                (connection.close(close.as_ref(), &mut out), None)
            }
            Call::Abort => {
                connection.abort();
                (Ok(()), None)
            }
            Call::Keys(_) | Call::Deliver(_) | Call::Eof => unreachable!("not a call on one side"),
        };
        if let (Ok(()), Some((data, last))) = (result, sent) {
            open.get_or_insert_default().extend(data.as_bytes());
            if last {
                expected.push_back((show(data.kind()), open.take().unwrap_or_default()));
            }
        }
        watch.called(&Called {
            call: Some(call),
            result,
            length: out.len(),
            before,
            after: self.told(),
            open: was_open,
            keys: (keys, self.keys.get()),
        });
        self.wire.extend(out);
    }

    /// Transmits the Pong or the Close that this side owes. The call fails if no masking key is left.
    fn transmit(&mut self, watch: &mut dyn Watch) {
        let (before, keys) = (self.told(), self.keys.get());
        let mut out = Vec::new();
        let result = self.connection.transmit(&mut out);
        watch.transmitted(&Called {
            call: None,
            result,
            length: out.len(),
            before,
            after: self.told(),
            open: self.open.is_some(),
            keys: (keys, self.keys.get()),
        });
        self.wire.extend(out);
    }

    /// Delivers some bytes from the other side, even if this side has stopped reading.
    fn deliver<P>(&mut self, other: &mut Side<'_, P>, count: usize, watch: &mut dyn Watch) {
        let count = count.min(other.wire.len());
        let mut bytes: Vec<u8> = other.wire.drain(..count).collect();
        let mut input = &mut bytes[..];
        let codecs = Rc::clone(&self.codecs);
        loop {
            let inflater = &mut codecs.borrow_mut().inflater;
            let owes = self.connection.wants_transmit();
            let received =
                match self.messages.receive_inflated(&mut self.connection, inflater, &mut input) {
                    None => break,
                    Some(Message::Text(text)) => ("text", text.as_bytes().to_vec()),
                    Some(Message::Binary(data)) => ("binary", data.to_vec()),
                    Some(Message::Ping(payload)) => {
                        // §5.5.3: only the latest Ping has to be answered.
                        if owes {
                            self.pongs.pop_back();
                        }
                        self.pongs.push_back(payload.to_vec());
                        ("ping", payload.to_vec())
                    }
                    Some(Message::Pong(payload)) => {
                        watch.pong(other.pongs.pop_front(), &payload);
                        continue;
                    }
                    Some(Message::Close(_)) => {
                        watch.closed(other.expected.len());
                        self.transmit(watch);
                        continue;
                    }
                    Some(other) => panic!("{other:?}"),
                };
            watch.received(other.expected.pop_front(), received);
            self.transmit(watch);
        }
        assert!(input.is_empty());
        self.transmit(watch);
    }

    fn eof<P>(&mut self, other: &Side<'_, P>) {
        if other.wire.is_empty() {
            self.connection.receive_eof();
        }
    }
}

const fn show(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Binary => "binary",
    }
}

/// A pair after some calls, once everything has arrived.
pub struct End<'a, 'b> {
    pub server: &'a mut Side<'b, Server>,
    pub client: &'a mut Side<'b, Client<Few>>,
    /// Whether a side was aborted, or saw the end of the stream, before everything had arrived.
    pub cut_off: bool,
}

/// Makes `calls`, on the server if the flag is set, else on the client. Then delivers everything
/// and passes the pair to `then`.
pub fn run(
    flags: u16,
    calls: &[(bool, Call<'_>)],
    watch: &mut dyn Watch,
    then: impl FnOnce(End<'_, '_>),
) {
    let bits = |bits: u16| WindowBits::new(8 + (bits % 8) as u8);
    let deflate = Deflate {
        server_no_context_takeover: flags & 2 != 0,
        client_no_context_takeover: flags & 4 != 0,
        server_max_window_bits: bits(flags >> 3),
        client_max_window_bits: bits(flags >> 6),
    };
    let mut agreed = Agreed::new();
    agreed.deflate = (flags & 1 != 0).then_some(deflate);
    let shared = flags & 0x206 == 0x206;
    let keys = Rc::new(Cell::new(usize::MAX));
    let (codecs, mut memory) = (Codecs::new(shared), vec![0; 1 << 20]);
    let other = if shared { Rc::clone(&codecs) } else { Codecs::new(false) };
    let no_need = Rc::new(Cell::new(usize::MAX));
    let mut server = Side::new(Server, no_need, agreed, Messages::new(), codecs);
    let source = Client(Few(Keys::default(), Rc::clone(&keys)));
    let lent = Messages::lent(&mut memory);
    let mut client = Side::new(source, Rc::clone(&keys), agreed, lent, other);
    let prepared = Prepared::new(Data::Text("to all"));
    for (to_server, call) in calls {
        match (to_server, call) {
            (true, Call::Deliver(count)) => server.deliver(&mut client, usize::from(*count), watch),
            (false, Call::Deliver(count)) => {
                client.deliver(&mut server, usize::from(*count), watch)
            }
            (_, Call::Keys(count)) => {
                keys.set(if *count < 128 { usize::from(count % 4) } else { usize::MAX });
            }
            (true, Call::Eof) => server.eof(&client),
            (false, Call::Eof) => client.eof(&server),
            (true, call) => {
                server.call(call, watch);
                if let Ok(frame) = server.connection.prepared(&prepared) {
                    server.wire.extend(frame);
                    server.expected.push_back(("text", b"to all".to_vec()));
                }
            }
            (false, call) => client.call(call, watch),
        }
    }
    // At the end everything arrives.
    keys.set(usize::MAX);
    for _ in 0..4 {
        server.deliver(&mut client, usize::MAX, watch);
        client.deliver(&mut server, usize::MAX, watch);
    }
    assert!(server.wire.is_empty() && client.wire.is_empty());
    let cut_off = calls.iter().any(|(_, call)| matches!(call, Call::Eof | Call::Abort));
    then(End { server: &mut server, client: &mut client, cut_off });
}
