//! Traits of public types: error texts, debug output, defaults, conversions.

use std::collections::BTreeSet;
use std::error::Error;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use websocket_proto::handshake::{
    AcceptOptions, FieldFault, HandshakeError, HeadError, Offer, ServerHandshake, TargetError,
    reject,
};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Closure, Config, Connection, ControlPayload, Data,
    Deflate, Event, Failure, Full, InflateError, InternalError, Kind, Limit, MaskSource, Message,
    Messages, Output, Overdue, OwnedMessage, Progress, SendError, Server, Violation,
};

/// Checks that each error has its own text, in lower case and without a full stop, so that the text
/// can follow a colon.
fn texts(errors: &[&dyn Error]) {
    let texts: BTreeSet<_> = errors.iter().map(|error| error.to_string()).collect();
    assert_eq!(texts.len(), errors.len(), "{texts:?}");
    for text in texts {
        let name_in_front = text.starts_with("Sec-")
            || ["Upgrade ", "Connection ", "Origin ", "Host "]
                .iter()
                .any(|name| text.starts_with(name));
        assert!(text.len() > 5 && !text.ends_with('.'), "{text}");
        assert!(name_in_front || text.starts_with(|first: char| first.is_lowercase()), "{text}");
    }
}

/// Checks the same as [`texts`], and that each text begins with its subject, without an article, as
/// lines of a log do.
fn plain_texts(errors: &[&dyn Error]) {
    texts(errors);
    for text in errors.iter().map(|error| error.to_string()) {
        let first = text.split(' ').next();
        assert!(!["a", "an", "the", "this"].map(Some).contains(&first), "{text}");
    }
}

#[test]
fn each_error_has_a_text_of_its_own() {
    plain_texts(&[
        &Violation::ReservedBit,
        &Violation::ReservedOpcode,
        &Violation::UnmaskedFrame,
        &Violation::MaskedFrame,
        &Violation::FragmentedControl,
        &Violation::ControlTooLong,
        &Violation::LengthNotMinimal,
        &Violation::LengthOverflow,
        &Violation::UnexpectedContinuation,
        &Violation::ExpectedContinuation,
        &Violation::TruncatedCloseCode,
        &Violation::InvalidCloseCode(1005),
        &Violation::InvalidCloseCode(2999),
        &Violation::InvalidCloseReason,
        &Violation::InvalidUtf8,
        &Violation::MessageTooBig,
        &Violation::InvalidPayload,
        &Violation::UnsupportedData,
        &Violation::PolicyViolation,
    ]);
    plain_texts(&[
        &Failure::Violation(Violation::ReservedBit),
        &Failure::Internal(InternalError::NoInflater),
        &InternalError::WrongConnection,
        &InternalError::Codec,
        &InternalError::Unread,
        &InternalError::Application,
    ]);
    for (failure, line) in [
        (
            Failure::Violation(Violation::UnmaskedFrame),
            "failed: frame from the client is not masked",
        ),
        (Violation::MaskedFrame.into(), "failed: frame from the server is masked"),
        (Violation::InvalidUtf8.into(), "failed: text message is not valid UTF-8"),
        (Violation::InvalidCloseCode(2999).into(), "failed: close code 2999 may not be sent"),
    ] {
        assert_eq!(format!("failed: {failure}"), line);
    }
    plain_texts(&[
        &SendError::NotOpen,
        &SendError::Closing,
        &SendError::MessageOpen,
        &SendError::ControlTooLong,
        &SendError::InvalidCloseCode,
        &SendError::ReasonTooLong,
        &SendError::InvalidUtf8,
        &SendError::NoMaskKey,
        &SendError::NotAgreed,
        &SendError::Codec,
        &SendError::Full,
    ]);
    let mut errors = vec![
        HandshakeError::ControlByte(b'\n'),
        HandshakeError::ControlByte(b'\r'),
        HandshakeError::ControlByte(0),
        HandshakeError::ControlByte(0x7F),
        HandshakeError::MalformedLine,
        HandshakeError::MalformedHeader,
        HandshakeError::HeadTooLarge,
        HandshakeError::TooManyHeaders,
        HandshakeError::InvalidHttpVersion,
        HandshakeError::OldHttpVersion,
        HandshakeError::UnsupportedHttpVersion,
        HandshakeError::MethodNotAllowed,
        HandshakeError::UnsupportedProtocol,
        HandshakeError::InvalidPseudoHeader,
        HandshakeError::ForbiddenHeader,
        HandshakeError::InvalidTarget,
        HandshakeError::UpgradeMissing,
        HandshakeError::BodyDeclared,
        HandshakeError::UnsupportedVersion(7),
        HandshakeError::UnsupportedVersion(8),
        HandshakeError::InvalidExtensions,
        HandshakeError::InvalidStatus,
        HandshakeError::SubprotocolNotOffered,
        HandshakeError::ExtensionNotOffered,
        HandshakeError::InvalidParameters,
    ];
    for fault in
        [FieldFault::Missing, FieldFault::Repeated, FieldFault::Malformed, FieldFault::Mismatch]
    {
        errors.extend([
            HandshakeError::InvalidHost(fault),
            HandshakeError::InvalidConnection(fault),
            HandshakeError::InvalidVersion(fault),
            HandshakeError::InvalidKey(fault),
            HandshakeError::InvalidOrigin(fault),
            HandshakeError::InvalidSubprotocol(fault),
            HandshakeError::InvalidAccept(fault),
        ]);
        // A missing Upgrade is plain HTTP, and has its own error.
        if fault != FieldFault::Missing {
            errors.push(HandshakeError::InvalidUpgrade(fault));
        }
    }
    texts(&errors.iter().map(|error| error as &dyn Error).collect::<Vec<_>>());
    texts(&[
        &HeadError::InvalidHeader(0),
        &HeadError::InvalidHeader(1),
        &HeadError::ProtectedHeader(0),
        &HeadError::ProtectedHeader(1),
        &HeadError::InvalidOrigin,
        &HeadError::InvalidSubprotocol,
        &HeadError::SubprotocolNotOffered,
        &HeadError::ConnectNotEnabled,
        &HeadError::NotUpgrade,
        &HeadError::InvalidStatus,
        &HeadError::UnexpectedBody,
        &HeadError::AlreadyAnswered,
        &HeadError::Full,
    ]);
    texts(&[
        &TargetError::NonAscii,
        &TargetError::Scheme,
        &TargetError::UserInfo,
        &TargetError::Host,
        &TargetError::Port,
        &TargetError::Path,
        &TargetError::Query,
        &TargetError::Fragment,
    ]);
    texts(&[&InflateError::Corrupt, &InflateError::Memory, &Full]);
}

/// The text names the field at fault and the fault.
#[test]
fn errors_of_heads_name_what_is_wrong() {
    for (error, text) in [
        (HandshakeError::ControlByte(b'\n'), "a line of the head ends with LF alone"),
        (HandshakeError::ControlByte(b'\r'), "a CR in the head has no LF after it"),
        (HandshakeError::ControlByte(0), "the head has the control byte 0x00"),
        (HandshakeError::UpgradeMissing, "Upgrade is missing"),
        (HandshakeError::InvalidUpgrade(FieldFault::Repeated), "Upgrade is repeated"),
        (HandshakeError::InvalidUpgrade(FieldFault::Mismatch), "Upgrade does not name websocket"),
        (HandshakeError::InvalidConnection(FieldFault::Missing), "Connection is missing"),
        (
            HandshakeError::InvalidConnection(FieldFault::Mismatch),
            "Connection does not name Upgrade",
        ),
        (HandshakeError::InvalidHost(FieldFault::Malformed), "Host is malformed"),
        (HandshakeError::InvalidHost(FieldFault::Mismatch), "Host differs from :authority"),
        (HandshakeError::InvalidKey(FieldFault::Missing), "Sec-WebSocket-Key is missing"),
        (
            HandshakeError::InvalidAccept(FieldFault::Mismatch),
            "Sec-WebSocket-Accept does not answer the key",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
    let headers = [("X-Fine", "y"), ("X-Fine", "y"), ("X", "\n"), ("Host", "h")];
    let refuse = |headers| reject(403, headers, b"", &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(refuse(&headers), "the name or value of the header at index 2 is malformed");
    assert_eq!(refuse(&headers[3..]), "the header at index 0 belongs to the handshake");
}

#[test]
fn a_close_code_is_its_number() {
    for (code, number) in [(CloseCode::NORMAL, 1000), (CloseCode::new(4999).unwrap(), 4999)] {
        assert_eq!(
            (code.get(), u16::from(code), code.to_string()),
            (number, number, format!("{number}"))
        );
        assert_eq!(format!("{code:?}"), format!("CloseCode({number})"));
    }
    assert!(CloseCode::NORMAL < CloseCode::GOING_AWAY);
}

#[test]
fn each_named_close_code_has_its_number() {
    let named = [
        (CloseCode::NORMAL, 1000),
        (CloseCode::GOING_AWAY, 1001),
        (CloseCode::PROTOCOL_ERROR, 1002),
        (CloseCode::UNSUPPORTED_DATA, 1003),
        (CloseCode::INVALID_PAYLOAD, 1007),
        (CloseCode::POLICY_VIOLATION, 1008),
        (CloseCode::MESSAGE_TOO_BIG, 1009),
        (CloseCode::MANDATORY_EXTENSION, 1010),
        (CloseCode::INTERNAL_ERROR, 1011),
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
        (CloseCode::UNAUTHORIZED, 3000),
        (CloseCode::FORBIDDEN, 3003),
        (CloseCode::TIMEOUT, 3008),
    ];
    for (code, number) in named {
        assert_eq!(code.get(), number);
        assert_eq!(CloseCode::new(number), Some(code));
    }
}

#[test]
fn a_close_code_is_made_from_each_number_that_may_be_sent_and_no_other() {
    for number in 0..=u16::MAX {
        let code = CloseCode::try_from(number);
        assert_eq!(code, CloseCode::new(number).ok_or(SendError::InvalidCloseCode), "{number}");
    }
    let frame = |code: u16| CloseFrame::new(CloseCode::try_from(code)?, "bye");
    assert_eq!(frame(4001).map(|frame| frame.code().get()), Ok(4001));
    assert_eq!(frame(1005), Err(SendError::InvalidCloseCode));
}

/// The reason is the peer's text, so it is escaped: in a log it must not imitate anything else.
#[test]
fn a_close_frame_shows_its_code_and_its_reason_escaped() {
    let shown = |reason| CloseFrame::truncated(CloseCode::new(4001).unwrap(), reason).to_string();
    assert_eq!(shown("bye"), "4001 \"bye\"");
    assert_eq!(shown(""), "4001");
    assert_eq!(shown("naïve 日本 🦀"), "4001 \"naïve 日本 🦀\"");
    assert_eq!(
        shown("\"a\\\r\n\t\0\u{1B}[31m\u{9B}\u{202E}\u{2028}"),
        "4001 \"\\\"a\\\\\\r\\n\\t\\0\\u{1b}[31m\\u{9b}\\u{202e}\\u{2028}\""
    );
    assert_eq!(shown("it's"), "4001 \"it's\"");
}

/// The text says which side began, the code, the sent code if it differs, whether the closure was
/// clean, and the failure.
#[test]
fn a_closure_is_one_line_of_a_log() {
    let shown = |frames: &[u8], close: Option<u16>, violation: Option<Violation>| {
        let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
        if let Some(code) = close {
            let close = CloseFrame::new(CloseCode::new(code).unwrap(), "a\nreason").unwrap();
            connection.close(Some(&close), &mut Vec::new()).unwrap();
        }
        while connection.receive(&mut &mut frames.to_vec()[..]).is_some() {}
        if let Some(violation) = violation {
            connection.fail(violation);
        }
        let _ = connection.transmit(&mut Vec::new());
        connection.receive_eof();
        connection.closure().unwrap().to_string()
    };
    let (peer, bad) = (b"\x88\x04\x0F\xA1\n!", b"\x83\0");
    let mut bare = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    bare.close(None, &mut Vec::new()).unwrap();
    while bare.receive(&mut &mut peer.to_vec()[..]).is_some() {}
    bare.receive_eof();
    assert_eq!(bare.closure().unwrap().to_string(), "closed by this side: 4001, sent no code");
    assert_eq!(shown(peer, None, None), "closed by the peer: 4001");
    assert_eq!(shown(peer, Some(4001), None), "closed by this side: 4001");
    assert_eq!(shown(peer, Some(1000), None), "closed by this side: 4001, sent 1000");
    assert_eq!(shown(b"\x88\0", None, None), "closed by the peer: 1005");
    assert_eq!(shown(b"", Some(1000), None), "closed by this side: 1006, sent 1000, not clean");
    assert_eq!(shown(b"", None, None), "ended without a Close: 1006, not clean");
    let failed = "failed: frame has a reserved opcode; 1006, sent 1002, not clean";
    assert_eq!(shown(bad, None, None), failed);
    let policy = "failed: message breaks a policy; 1006, sent 1008, not clean";
    assert_eq!(shown(b"", None, Some(Violation::PolicyViolation)), policy);
    assert_eq!(Closure::never_opened().to_string(), "ended without a Close: 1006, not clean");
    let never = Closure::never_opened();
    assert_eq!((never.code, never.clean, never.sent), (Closure::ABNORMAL, false, None));
    assert_eq!((never.initiator, never.failure), (None, None));

    let mut lost = Connection::new(Server, &Config::new(), Agreed::new());
    let mut close = *b"\x88\x82\0\0\0\0\x03\xE8";
    assert!(lost.receive(&mut &mut close[..]).is_some());
    lost.abort();
    assert_eq!(lost.closure().unwrap().to_string(), "closed by the peer: 1000, not clean");
}

#[test]
fn a_deadline_that_has_passed_is_one_line_of_a_log() {
    assert_eq!(Overdue::Ping([0, 0, 0, 1]).to_string(), "Ping is due");
    assert_eq!(Overdue::Close(Limit::Pong).to_string(), "closing: no answer to a Ping");
    assert_eq!(Overdue::Abort(Limit::Close).to_string(), "aborted: closing took too long");
}

/// The output shows sizes and settings, but no received data.
#[test]
fn debug_output_of_storage_names_sizes_only() {
    let mut memory = [0; 8];
    let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    let (mut heap, mut lent) = (Messages::new(), Messages::lent(&mut memory));
    assert!(heap.receive(&mut connection, &mut &mut b"\x01\x03abc"[..].to_vec()[..]).is_none());
    assert!(format!("{heap:?}").contains("Heap(3 bytes)"), "{heap:?}");
    let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    assert!(lent.receive(&mut connection, &mut &mut b"\x01\x03abc"[..].to_vec()[..]).is_none());
    assert!(format!("{lent:?}").contains("Lent(3 of 8 bytes)"), "{lent:?}");
}

#[cfg(feature = "deflate")]
#[test]
fn debug_output_of_codecs_names_settings_only() {
    use websocket_proto::{Deflater, Inflater, ZlibCompress, ZlibDecompress};

    let agreed = Agreed::new().deflate(Deflate::new());
    let mut connection = Connection::new(Server, &Config::new(), agreed);
    let mut deflater = Deflater::own(ZlibCompress::new(3).memory_level(7)).threshold(0);
    assert_eq!(format!("{deflater:?}"), "Deflater(own, 0 bytes of scratch)");
    connection.send_compressed(Data::Text("secret"), &mut deflater, &mut Vec::new()).unwrap();
    let bound = deflater.bound(6);
    assert_eq!(format!("{deflater:?}"), format!("Deflater(own, {bound} bytes of scratch)"));
    let mut shared = Inflater::shared(ZlibDecompress::new());
    assert_eq!(format!("{shared:?}"), "Inflater(shared, 0 bytes of buffer)");
    // Compressed data that is collected for a shared codec.
    let mut messages = Messages::new();
    let mut fragment = *b"\x41\x83\0\0\0\0\xF2\x48\xCD";
    let message = messages.receive_inflated(&mut connection, &mut shared, &mut &mut fragment[..]);
    assert!(message.is_none());
    assert!(format!("{messages:?}").contains("compressed: 3 bytes"), "{messages:?}");
    let own = format!("{:?}", Inflater::own(ZlibDecompress::default()));
    assert_eq!(own, "Inflater(own, 0 bytes of buffer)");
    assert_eq!(
        format!("{:?} {:?}", ZlibCompress::new(3).memory_level(7), ZlibDecompress::new()),
        "ZlibCompress { level: 3, memory_level: 7, window: None } ZlibDecompress { used: false }",
    );
}

#[cfg(feature = "random")]
#[test]
fn the_keys_of_the_system_are_not_shown() {
    use websocket_proto::SystemMask;

    let mut keys = SystemMask::default();
    assert!(keys.mask_key().is_some());
    assert_eq!(format!("{keys:?}"), "SystemMask");
}

/// A source that is not a closure.
struct Counter(u8);

impl MaskSource for Counter {
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        self.0 += 1;
        Some([self.0; 4])
    }
}

/// Returns the masking key of an empty Ping.
fn key(source: impl MaskSource) -> [u8; 4] {
    let mut connection = Connection::new(Client(source), &Config::new(), Agreed::new());
    let mut out = Vec::new();
    connection.ping(b"", &mut out).unwrap();
    out[2..].try_into().unwrap()
}

#[test]
fn a_mask_source_can_be_lent_and_boxed_without_its_type() {
    let mut counter = Counter(0);
    assert_eq!(key(&mut counter as &mut dyn MaskSource), [1; 4]);
    assert_eq!(key(&mut counter as &mut (dyn MaskSource + Send)), [2; 4]);
    let boxed: Box<dyn MaskSource + '_> = Box::new(&mut counter as &mut dyn MaskSource);
    assert_eq!(key(boxed), [3; 4]);
    let boxed: Box<dyn MaskSource + Send> = Box::new(counter);
    assert_eq!(key(boxed), [4; 4]);

    let mut next = 4;
    let mut closure = || {
        next += 1;
        [next; 4]
    };
    assert_eq!(key(&mut closure), [5; 4]);
    assert_eq!(key(Box::new(&mut closure)), [6; 4]);
    let boxed: Box<dyn MaskSource + '_> = Box::new(closure);
    assert_eq!(key(boxed), [7; 4]);
}

#[test]
fn defaults_are_what_new_gives() {
    assert_eq!(Deflate::default(), Deflate::new());
    assert_eq!(
        format!("{:?}", ServerHandshake::default()),
        format!("{:?}", ServerHandshake::new())
    );
    assert_eq!(format!("{:?}", Messages::default()), format!("{:?}", Messages::new()));
    assert_eq!(format!("{:?}", AcceptOptions::default()), format!("{:?}", AcceptOptions::new()));
    assert_eq!(format!("{:?}", Offer::default()), format!("{:?}", Offer::new()));
}

#[test]
fn reports_and_responses_can_be_keys() {
    let progress = Progress::new(1, 2);
    let values = [progress, progress.with_ended(true), progress];
    assert_eq!(different(&values), 2);
    assert_eq!(different(&[Full, Full]), 1);

    let mut head = *b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut handshake = ServerHandshake::new();
    let mut input = &mut head[..];
    let request = handshake.receive(&mut input).unwrap().expect("a complete head");
    let response = |headers| request.response(&AcceptOptions::new().headers(headers)).unwrap();
    let (plain, cookie) = (response(&[]), response(&[("Set-Cookie", "a=1")]));
    assert_eq!(different(&[plain, cookie, plain]), 2);
}

#[test]
fn a_frame_header_is_its_bytes() {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let header = connection.frame(Data::Binary(&[0; 300]), true).unwrap();
    assert_eq!(header.as_ref(), b"\x82\x7E\x01\x2C");
    assert_eq!(header.clone(), header);
    let other = connection.frame(Data::Binary(&[]), true).unwrap();
    assert_ne!(other, header);
    assert_eq!(different(&[header.clone(), other, header]), 2);
}

/// Returns the events of a client for `bytes`, in reads that end at `reads`.
fn events<'i>(bytes: &'i mut [u8], reads: &[usize]) -> Vec<Event<'i>> {
    let agreed = Agreed::new().deflate(Deflate::new());
    let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), agreed);
    let (mut events, mut rest, mut start) = (Vec::new(), bytes, 0);
    for &end in reads {
        let (mut input, behind) = rest.split_at_mut(end - start);
        while let Some(event) = connection.receive(&mut input) {
            events.push(event);
        }
        (rest, start) = (behind, end);
    }
    events
}

/// Returns how many of the values differ by their hashes.
fn different<T: Hash>(values: &[T]) -> usize {
    let hash = |value| BuildHasherDefault::<DefaultHasher>::default().hash_one(value);
    values.iter().map(hash).collect::<BTreeSet<_>>().len()
}

#[test]
fn control_payloads_compare_by_their_bytes() {
    let payload = |bytes| ControlPayload::new(bytes).unwrap();
    let long = payload(&[7; 125]);
    assert_eq!(long[..], [7; 125]);
    assert_eq!(ControlPayload::new(&[7; 126]), Err(SendError::ControlTooLong));
    assert_eq!(payload(b"ab"), payload(b"ab"));
    assert_ne!(payload(b"ab"), payload(b"abc"));
    assert_ne!(payload(b"ab"), payload(b"ac"));
    assert_eq!(different(&[payload(b"ab"), payload(b"ab"), payload(b"abc"), payload(b"")]), 3);
    assert_eq!(payload(b"ab").as_ref(), b"ab");
    assert_eq!(format!("{:?}", payload(b"ab")), "[97, 98]");
    let mut bytes = *b"\x89\x02ab";
    assert_eq!(events(&mut bytes, &[4]), [Event::Ping(payload(b"ab"))]);
}

/// Events compare by what a caller can see of them, not by their representation.
#[test]
fn events_compare_by_kind_payload_and_position() {
    let (mut whole, mut cut) = (*b"\x81\x02\xC3\xA9", *b"\x81\x02\xC3\xA9");
    assert_eq!(events(&mut whole, &[4]), events(&mut cut, &[3, 4]));

    let different: [&[u8]; 11] = [
        b"\x81\x01a",
        b"\x81\x01b",
        b"\x01\x01a",
        b"\x82\x01a",
        b"\x82\x01b",
        b"\x02\x01a",
        b"\xC1\x01a",
        b"\xC1\x01b",
        b"\xC2\x01a",
        b"\x41\x01a",
        b"\x88\x00",
    ];
    for (at, one) in different.iter().enumerate() {
        for (other_at, other) in different.iter().enumerate() {
            let (mut one, mut other) = (one.to_vec(), other.to_vec());
            let ends = [one.len(), other.len()];
            let equal = events(&mut one, &ends[..1]) == events(&mut other, &ends[1..]);
            assert_eq!(equal, at == other_at, "{one:02X?} {other:02X?}");
        }
    }
}

#[test]
fn pieces_are_references_to_what_they_hold() {
    fn text(text: impl AsRef<str> + AsRef<[u8]>) {
        assert_eq!(AsRef::<str>::as_ref(&text), "hi");
        assert_eq!(AsRef::<[u8]>::as_ref(&text), b"hi");
    }
    fn bytes(bytes: impl AsRef<[u8]>) {
        assert_eq!(bytes.as_ref(), b"hi");
    }
    let mut input = *b"\x81\x02hi\x82\x02hi\x8A\x02hi\xC2\x02hi";
    for event in events(&mut input, &[16]) {
        match event {
            Event::Text(piece) => text(piece),
            Event::Binary(mut piece) => {
                piece.as_mut().reverse();
                assert_eq!(piece.as_ref(), b"ih");
                piece.reverse();
                bytes(piece);
            }
            Event::Compressed(piece) => bytes(piece),
            Event::Pong(payload) => bytes(payload),
            other => panic!("{other:?}"),
        }
    }
}

/// One message of each kind.
fn messages() -> [Message<'static>; 8] {
    let ping = ControlPayload::new(b"a").unwrap();
    [
        Message::Text("a"),
        Message::Text("b"),
        Message::Binary(b"a"),
        Message::Ping(ping),
        Message::Pong(ping),
        Message::Close(None),
        Message::Close(Some(CloseFrame::truncated(CloseCode::NORMAL, "a"))),
        Message::Failed(Violation::InvalidUtf8.into()),
    ]
}

#[test]
fn messages_are_values() {
    let messages = messages();
    let copies = messages;
    assert_eq!(copies, messages);
    assert_eq!(different(&messages), messages.len());
    let data = messages.map(Message::data);
    assert_eq!(data[..3], [Some("a".into()), Some("b".into()), Some(b"a"[..].into())]);
    assert_eq!(data[3..], [None; 5]);
}

#[test]
fn an_owned_message_is_the_message_and_outlives_its_input() {
    for message in messages() {
        let owned = OwnedMessage::from(message);
        assert_eq!(owned, message.into_owned());
        assert_eq!(owned.as_message(), message);
        assert_eq!(owned.clone(), owned);
    }
    assert_eq!(different(&messages().map(Message::into_owned)), messages().len());

    let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    let mut received = Messages::new();
    let owned = {
        let mut buffer = *b"\x81\x02hi";
        received.receive(&mut connection, &mut &mut buffer[..]).map(Message::into_owned)
    };
    assert_eq!(owned, Some(OwnedMessage::Text("hi".to_owned())));
}

#[test]
fn r6455_6_1_a_send_is_send_text_or_send_binary() {
    for data in [Data::Text("hi"), Data::Binary(b"hi"), Data::Binary(&[0; 300])] {
        let mut connection = Connection::new(Client(Counter(0)), &Config::new(), Agreed::new());
        let mut other = Connection::new(Client(Counter(0)), &Config::new(), Agreed::new());
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        connection.send(data, &mut out).unwrap();
        match data {
            Data::Text(text) => other.send_text(text, &mut expected).unwrap(),
            Data::Binary(data) => other.send_binary(data, &mut expected).unwrap(),
        }
        assert_eq!(out, expected);
        connection.close(None, &mut out).unwrap();
        assert_eq!(connection.send(data, &mut out), Err(SendError::Closing));
    }
}

#[test]
fn data_is_made_from_text_and_from_bytes() {
    assert_eq!(Data::from("hi"), Data::Text("hi"));
    assert_eq!(Data::from(&b"hi"[..]), Data::Binary(b"hi"));
    let (text, data) = (String::from("hi"), vec![1]);
    let kinds: [Data<'_>; 2] = [text.as_str().into(), data.as_slice().into()];
    assert_eq!(kinds.map(Data::kind), [Kind::Text, Kind::Binary]);
}

#[test]
fn a_piece_shows_its_bytes_unmasked() {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut bytes = *b"\x02\x82\x37\xFA\x21\x3D\x56\x98";
    let piece = connection.receive(&mut &mut bytes[..]);
    assert_eq!(
        format!("{piece:?}"),
        "Some(Binary(Binary { data: [97, 98], position: Position { offset: 0, last: false } }))"
    );
}

#[test]
fn a_pieces_places_can_be_asked_for() {
    let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    let mut bytes = *b"\x01\x01a\x00\x01b\x80\x01c\x02\x01d\x00\x01e\x80\x01f";
    let mut input = &mut bytes[..];
    let mut places = Vec::new();
    while let Some(event) = connection.receive(&mut input) {
        match event {
            Event::Text(text) => places.push((text.is_first(), text.is_last())),
            Event::Binary(data) => places.push((data.is_first(), data.is_last())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(places, [(true, false), (false, false), (false, true)].repeat(2));
}

/// The reason phrase is that of IANA's registry, or empty.
#[test]
fn a_refusal_has_the_usual_words() {
    let mut with_words = BTreeSet::new();
    for status in 200..=599 {
        let mut out = Vec::new();
        reject(status, &[], b"", &mut out).unwrap();
        let line = String::from_utf8(out).unwrap().lines().next().unwrap().to_owned();
        let words = line.strip_prefix(&format!("HTTP/1.1 {status} ")).expect("a space behind it");
        if !words.is_empty() {
            let usual = http::StatusCode::from_u16(status).unwrap().canonical_reason();
            assert_eq!(Some(words), usual);
            with_words.insert(status);
        }
    }
    let wanted = [
        200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 407, 408, 410, 426, 429, 431, 500,
        501, 502, 503, 505,
    ];
    assert_eq!(with_words, BTreeSet::from(wanted));
}

/// An output without any room.
struct NoRoom;

impl Output for NoRoom {
    fn reserve(&mut self, _: usize) -> Result<(), Full> {
        Err(Full)
    }

    fn append(&mut self, _: &[u8]) {
        panic!("appended without room")
    }
}

/// Wrappers need this to move connections between threads and keep them in tasks.
#[test]
fn every_public_type_is_send_and_sync_and_owned_ones_are_static() {
    use websocket_proto::handshake::{
        AcceptResponse, Accepted, ClientHandshake, ClientRequest, Extension, HeaderLines, Headers,
        PseudoHeaders, Refused, Request, Resource, Response, Target, Value,
    };
    use websocket_proto::{
        Binary, Closure, Compress, Compressed, Deadlines, Decompress, Deflater, FrameHeader,
        Inflater, Initiator, NextStep, Prepared, SliceOutput, State, Text, WindowBits,
    };

    fn shared<T: Send + Sync>() {}
    fn owned<T: Send + Sync + 'static>() {}

    /// Compiles only if the types have the traits for every codec.
    fn _codec<C: Compress + Decompress + Send + Sync + 'static>() {
        owned::<Deflater<C>>();
        owned::<Inflater<C>>();
    }

    owned::<Agreed>();
    owned::<Client<fn() -> [u8; 4]>>();
    owned::<CloseCode>();
    owned::<CloseFrame>();
    owned::<Closure>();
    owned::<Config>();
    owned::<Connection<Client<Counter>>>();
    owned::<Connection<Server>>();
    owned::<ControlPayload>();
    owned::<Deadlines>();
    owned::<Deflate>();
    owned::<FrameHeader>();
    owned::<Full>();
    owned::<InflateError>();
    owned::<Initiator>();
    owned::<Kind>();
    owned::<Limit>();
    owned::<Messages>();
    owned::<NextStep>();
    owned::<Overdue>();
    owned::<OwnedMessage>();
    owned::<Prepared>();
    owned::<Progress>();
    owned::<SendError>();
    owned::<Server>();
    owned::<State>();
    owned::<Violation>();
    owned::<WindowBits>();
    #[cfg(feature = "random")]
    owned::<websocket_proto::SystemMask>();
    #[cfg(feature = "deflate")]
    owned::<websocket_proto::ZlibCompress>();
    #[cfg(feature = "deflate")]
    owned::<websocket_proto::ZlibDecompress>();
    shared::<Binary<'_>>();
    shared::<Compressed<'_>>();
    shared::<Data<'_>>();
    shared::<Event<'_>>();
    shared::<Message<'_>>();
    shared::<Messages<'_>>();
    shared::<SliceOutput<'_>>();
    shared::<Text<'_>>();

    owned::<HandshakeError>();
    owned::<HeadError>();
    owned::<ServerHandshake>();
    owned::<TargetError>();
    shared::<AcceptOptions<'_>>();
    shared::<AcceptResponse<'_>>();
    shared::<Accepted<'_>>();
    shared::<ClientHandshake<'_>>();
    shared::<ClientRequest<'_>>();
    shared::<Extension<'_>>();
    shared::<HeaderLines<'_>>();
    shared::<Headers<'_>>();
    shared::<Offer<'_>>();
    shared::<PseudoHeaders<'_>>();
    shared::<Refused<'_>>();
    shared::<Request<'_>>();
    shared::<Resource<'_>>();
    shared::<Response<'_>>();
    shared::<Target<'_>>();
    shared::<Value<'_>>();
}

#[test]
fn what_owes_nothing_asks_an_output_for_nothing() {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    assert_eq!(connection.transmit(&mut NoRoom), Ok(()));
    connection.fail(Violation::PolicyViolation);
    assert_eq!(connection.transmit(&mut NoRoom), Err(SendError::Full));
}

#[test]
fn header_lines_and_values_of_extensions_show_and_compare_as_text() {
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: x; a=\"b\\c\"\r\nX-Bytes: \xFF\"\r\n\r\n"
        .to_vec();
    let mut handshake = ServerHandshake::new();
    let request = handshake.receive(&mut &mut head[..]).unwrap().unwrap();
    let (name, value) = request.extensions().next().unwrap().params().next().unwrap();
    let value = value.unwrap();
    assert_eq!((name, value.to_string().as_str()), ("a", "bc"));
    assert!(value == "bc" && value == *"bc" && value != "b" && value != *"bcd");
    let shown = format!("{:?}", request.headers());
    assert!(shown.starts_with("{\"Host\": \"h\", "), "{shown}");
    assert!(shown.ends_with("\"X-Bytes\": \"\\xff\\\"\"}"), "{shown}");
}
