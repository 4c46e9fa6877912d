//! The rules that a driver has to keep. For each there is a signal that says what to do.

use crate::common::{Keys, frames, hex, mask, unmask};
use websocket_proto::handshake::{
    self, AcceptOptions, ClientHandshake, HandshakeError, Offer, Request, Response,
    ServerHandshake, Target, TargetError,
};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Closure, Config, Connection, Event, NextStep, Role,
    SendError, Server, SliceOutput, State, Violation,
};

fn server() -> Connection<Server> {
    Connection::new(Server, &Config::new(), Agreed::new())
}

fn client() -> Connection<Client<Keys>> {
    Connection::new(Client(Keys::default()), &Config::new(), Agreed::new())
}

/// Passes frames in hex, unmasked, to a connection. Returns how many events they give.
fn receive<R: Role>(connection: &mut Connection<R>, text: &str, masked: bool) -> usize {
    let mut bytes = frames(text, masked);
    let mut input = &mut bytes[..];
    let mut events = 0;
    while connection.receive(&mut input).is_some() {
        events += 1;
    }
    assert!(input.is_empty());
    events
}

fn close(code: CloseCode) -> CloseFrame {
    CloseFrame::new(code, "").unwrap()
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       Sec-WebSocket-Version: 13\r\n";

/// Passes a valid request with `more` header lines to `look`.
fn with_request<T>(more: &str, look: impl FnOnce(Request<'_>) -> T) -> T {
    let mut head = format!("{REQUEST}{more}\r\n").into_bytes();
    let mut input = &mut head[..];
    look(ServerHandshake::new().receive(&mut input).unwrap().unwrap())
}

/// Returns the text of a server's rejection.
fn rejection(status: u16, headers: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    handshake::reject(status, headers, b"", &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Starts a client's handshake, and returns the result of a response.
fn answer(response: &str) -> Result<Option<(u16, Vec<u8>, usize)>, HandshakeError> {
    let (target, mut out) = (Target::parse("ws://example.com/").unwrap(), Vec::new());
    let mut handshake: ClientHandshake<'_> =
        ClientHandshake::start(&target, &Offer::new(), *b"the sample nonce", &mut out).unwrap();
    let mut head = response.as_bytes().to_vec();
    let mut input = &mut head[..];
    let response = handshake.receive(&mut input)?;
    Ok(response.map(|response| match response {
        Response::Refused(refused) => (
            refused.status(),
            refused.headers().first("location").unwrap_or_default().to_vec(),
            input.len(),
        ),
        Response::Accepted(_) => (101, Vec::new(), input.len()),
    }))
}

#[test]
fn r6455_11_1_a_non_ascii_text_has_an_error_of_its_own() {
    for uri in ["ws://é.fr/", "ws://h/é", "ws://h/?é"] {
        assert_eq!(Target::parse(uri), Err(TargetError::NonAscii), "{uri}");
    }
    assert_ne!(Target::parse("ws://h h/"), Err(TargetError::NonAscii));
}

#[test]
fn r6455_4_1_a_a_connection_starts_open_without_a_handshake() {
    let mut connection = client();
    assert_eq!((connection.state(), connection.wants_transmit()), (State::Open, false));
    assert_eq!(receive(&mut connection, "81 02 68 69", false), 1);
}

/// Covers R6455-4.1-d.
#[test]
fn r6455_4_1_c_an_attempt_lasts_as_long_as_its_handshake_value() {
    // A pool counts its values by host and port. Each value is one attempt, and no other state
    // exists. Values can be stored anywhere, also by another thread.
    fn held<T: Send + Sync>(_: &T) {}
    let uris = ["ws://a/", "ws://b/", "ws://a/x"];
    let pending: Vec<(Target<'_>, ClientHandshake<'_>)> = uris
        .iter()
        .map(|uri| {
            let target = Target::parse(uri).unwrap();
            let mut out = Vec::new();
            let nonce = *b"the sample nonce";
            let handshake = ClientHandshake::start(&target, &Offer::new(), nonce, &mut out);
            (target, handshake.unwrap())
        })
        .collect();
    held(&pending);
    let of = |host| pending.iter().filter(|(target, _)| target.host() == host).count();
    assert_eq!((of("a"), of("b")), (2, 1));
}

#[test]
fn r6455_4_1_e_the_uri_can_be_rebuilt_for_a_proxy_before_any_output() {
    for uri in ["wss://h:444/p?q", "ws://example.com/", "ws://[::1]:8080/x"] {
        assert_eq!(Target::parse(uri).unwrap().to_string(), uri);
    }
}

#[test]
fn r6455_4_1_f_a_transport_that_never_opened_leaves_nothing_behind() {
    // The attempt is a value, so dropping it is enough. Nothing was agreed, and the request is in
    // the caller's output, which need not be written.
    let (target, mut out) = (Target::parse("ws://example.com/").unwrap(), Vec::new());
    let nonce = *b"the sample nonce";
    assert!(ClientHandshake::start(&target, &Offer::new(), nonce, &mut out).is_ok());
    assert!(out.starts_with(b"GET / "));
}

#[test]
fn r6455_4_1_g_a_secure_target_says_so_and_names_the_host_for_tls() {
    let target = Target::parse("wss://example.com/").unwrap();
    assert_eq!((target.secure(), target.host(), target.port()), (true, "example.com", 443));
    assert!(!Target::parse("ws://example.com/").unwrap().secure());
}

#[test]
fn r6455_4_1_s_another_status_is_plain_http_with_its_body_untouched() {
    let response = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(answer(response), Ok(Some((302, b"/there".to_vec(), 4))));
    let response = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n";
    assert_eq!(answer(response), Ok(Some((401, Vec::new(), 0))));
}

#[test]
fn r6455_4_2_1_i_without_an_origin_the_handshake_goes_on() {
    with_request("", |request| {
        assert_eq!(request.origin(), None);
        assert!(!request.is_same_origin());
        assert!(request.accept(&AcceptOptions::new(), &mut Vec::new()).is_ok());
    });
}

#[test]
fn r6455_4_2_2_a_a_failure_of_tls_is_an_abort_and_nothing_is_sent() {
    let mut connection = server();
    connection.abort();
    assert_eq!((connection.next_step(), connection.wants_transmit()), (NextStep::Drop, false));
    let closure = connection.closure().unwrap();
    assert_eq!((closure.code, closure.clean, closure.sent), (Closure::ABNORMAL, false, None));
    assert_ne!(closure.code, Closure::TLS_HANDSHAKE);
}

#[test]
fn r6455_4_2_2_b_a_request_can_be_challenged_or_redirected() {
    let challenge = rejection(401, &[("WWW-Authenticate", "Basic realm=\"x\"")]);
    assert!(challenge.starts_with("HTTP/1.1 401 "));
    assert!(challenge.contains("\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"));
    let redirect = rejection(307, &[("Location", "https://example.com/")]);
    assert!(redirect.starts_with("HTTP/1.1 307 "));
    with_request("Cookie: id=7\r\n", |request| {
        assert_eq!(request.header("cookie"), Some(&b"id=7"[..]));
    });
}

/// Covers R6455-10.2-a.
#[test]
fn r6455_4_2_2_c_a_foreign_origin_is_seen_and_refused_with_403() {
    for (origin, same) in [("http://example.com", true), ("https://evil.example", false)] {
        with_request(&format!("Origin: {origin}\r\n"), |request| {
            assert_eq!(request.origin(), Some(origin));
            assert_eq!(request.is_same_origin(), same, "{origin}");
        });
    }
    assert!(rejection(403, &[]).starts_with("HTTP/1.1 403 "));
    assert!(handshake::reject(101, &[], b"", &mut Vec::new()).is_err());
}

#[test]
fn r6455_4_2_2_f_an_unknown_resource_is_seen_and_refused_with_404() {
    with_request("", |request| assert_eq!(request.resource(), "/chat"));
    assert!(rejection(404, &[]).starts_with("HTTP/1.1 404 "));
}

#[test]
fn r6455_4_4_a_a_refusal_lists_the_versions_to_retry_with() {
    let (target, mut out) = (Target::parse("ws://example.com/").unwrap(), Vec::new());
    let mut handshake: ClientHandshake<'_> =
        ClientHandshake::start(&target, &Offer::new(), *b"the sample nonce", &mut out).unwrap();
    let mut head = b"HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Version: 8, 7\r\n\r\n"
        .to_vec();
    match handshake.receive(&mut &mut head[..]) {
        Ok(Some(Response::Refused(refused))) => {
            assert_eq!(refused.versions().collect::<Vec<_>>(), [13, 8, 7]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn r6455_5_3_b_a_client_is_built_with_a_source_of_keys_and_asks_it_for_each_frame() {
    let mut asked = 0;
    let keys = || {
        asked += 1;
        [asked; 4]
    };
    let mut connection = Connection::new(Client(keys), &Config::new(), Agreed::new());
    let mut out = Vec::new();
    connection.send_text("a", &mut out).unwrap();
    connection.send_text("a", &mut out).unwrap();
    assert_eq!((&out[2..6], &out[9..13]), (&[1; 4][..], &[2; 4][..]));
}

#[test]
fn r6455_5_5_1_d_the_peers_reason_is_in_the_event_and_in_no_message_of_an_error() {
    let mut connection = server();
    let mut bytes = mask(&hex("88 08 03 E8 73 65 63 72 65 74"));
    let mut input = &mut bytes[..];
    match connection.receive(&mut input) {
        Some(Event::Close(Some(close))) => assert_eq!(close.reason(), "secret"),
        other => panic!("{other:?}"),
    }
    let error = connection.send_text("x", &mut Vec::new()).unwrap_err();
    assert!(!error.to_string().contains("secret"));
    connection.abort();
    assert!(!format!("{:?}", connection.closure()).contains("secret"));
}

/// Covers R6455-5.5.1-i.
#[test]
fn r6455_5_5_1_h_after_both_closes_a_server_ends_the_transport_at_once() {
    let mut connection = server();
    receive(&mut connection, "88 00", true);
    assert_eq!(connection.next_step(), NextStep::Continue);
    connection.transmit(&mut Vec::new()).unwrap();
    assert_eq!(connection.next_step(), NextStep::ShutdownWrite);
}

/// Covers R6455-5.5.1-j.
#[test]
fn r6455_5_5_1_h_after_both_closes_a_client_waits_and_may_give_up() {
    let mut connection = client();
    receive(&mut connection, "88 00", false);
    connection.transmit(&mut Vec::new()).unwrap();
    assert_eq!(connection.next_step(), NextStep::AwaitEof);
    connection.abort(); // the deadline
    assert_eq!(connection.next_step(), NextStep::Drop);
    assert!(connection.closure().unwrap().clean);
}

#[test]
fn r6455_6_1_c_outputs_of_any_size_are_the_whole_output_together() {
    let payload = |number: u8| vec![number; usize::from(number) * 50];
    let (mut connection, mut whole) = (server(), Vec::new());
    for number in 0..20 {
        receive(&mut connection, "89 01 70", true);
        connection.send_binary(&payload(number), &mut whole).unwrap();
    }
    // Small outputs are written and lent again when full. No byte is lost or sent twice.
    for room in [957, 1000, 1500] {
        let (mut connection, mut all, mut full) = (server(), Vec::<u8>::new(), 0);
        let mut memory = vec![0; room];
        let mut out = SliceOutput::new(&mut memory);
        for number in 0..20 {
            receive(&mut connection, "89 01 70", true);
            while connection.send_binary(&payload(number), &mut out) == Err(SendError::Full) {
                assert!(connection.wants_transmit() && !out.written().is_empty());
                all.extend(out.written());
                out.clear();
                full += 1;
            }
            assert!(!connection.wants_transmit());
        }
        all.extend(out.written());
        assert!(all == whole && full > 5, "room {room}");
    }
}

#[test]
fn r6455_7_1_1_a_trailing_bytes_are_taken_and_dropped() {
    let mut connection = server();
    assert_eq!(receive(&mut connection, "88 00", true), 1);
    connection.transmit(&mut Vec::new()).unwrap();
    assert_eq!(connection.next_step(), NextStep::ShutdownWrite);
    assert_eq!(receive(&mut connection, "81 01 61 / FF FF / 89 00", true), 0);
    assert!(!connection.wants_transmit());
}

#[test]
fn r6455_7_1_1_b_an_abort_ends_everything_without_a_close() {
    let mut connection = server();
    receive(&mut connection, "89 00 / 83 00", true);
    connection.abort();
    let mut out = Vec::new();
    connection.transmit(&mut out).unwrap();
    assert_eq!((connection.next_step(), out.len()), (NextStep::Drop, 0));
    let closure = connection.closure().unwrap();
    assert_eq!((closure.code, closure.clean), (1006, false));
}

#[test]
fn r6455_7_1_1_c_the_server_ends_the_transport_first_and_the_client_after_it() {
    let (mut one, mut two) = (client(), server());
    let mut wire = Vec::new();
    one.close(None, &mut wire).unwrap();
    while two.receive(&mut &mut std::mem::take(&mut wire)[..]).is_some() {}
    let mut wire = Vec::new();
    two.transmit(&mut wire).unwrap();
    while one.receive(&mut &mut std::mem::take(&mut wire)[..]).is_some() {}
    assert_eq!((two.next_step(), one.next_step()), (NextStep::ShutdownWrite, NextStep::AwaitEof));
    one.receive_eof();
    assert_eq!(one.next_step(), NextStep::Drop);
}

#[test]
fn r9220_3_a_on_a_stream_the_end_is_its_fin_and_an_abort_its_reset() {
    // The stream replaces TCP: ending the writing side is a FIN, and dropping the stream early is
    // H3_REQUEST_CANCELLED. The peer's FIN and reset are reported in the same way.
    let mut orderly = server();
    receive(&mut orderly, "88 00", true);
    orderly.transmit(&mut Vec::new()).unwrap();
    assert_eq!(orderly.next_step(), NextStep::ShutdownWrite);
    orderly.write_ended(); // FIN
    assert_eq!(orderly.next_step(), NextStep::AwaitEof);
    orderly.receive_eof(); // the peer's FIN
    assert_eq!(orderly.next_step(), NextStep::Drop);
    assert!(orderly.closure().unwrap().clean); // nothing is left to be cancelled
    let mut reset = server();
    reset.abort(); // the peer's reset, or ours
    assert_eq!(reset.next_step(), NextStep::Drop);
    assert!(!reset.closure().unwrap().clean); // H3_REQUEST_CANCELLED, if it was not the peer
}

#[test]
fn r6455_7_1_7_a_each_violation_is_one_event_of_its_own_and_then_the_end() {
    let violations = [
        ("C1 00", Violation::ReservedBit),
        ("83 00", Violation::ReservedOpcode),
        ("09 00", Violation::FragmentedControl),
        ("89 7E", Violation::ControlTooLong),
        ("82 7E 00 01", Violation::LengthNotMinimal),
        ("82 7F 80", Violation::LengthOverflow),
        ("80 00", Violation::UnexpectedContinuation),
        ("01 00 / 81 00", Violation::ExpectedContinuation),
        ("88 01", Violation::TruncatedCloseCode),
        ("88 02 03 ED", Violation::InvalidCloseCode(1005)),
        ("88 03 03 E8 FF", Violation::InvalidCloseReason),
        ("81 01 FF", Violation::InvalidUtf8),
        ("82 7F 10 00 00 00 00 00 00 00", Violation::MessageTooBig),
    ];
    let mut seen = std::collections::HashSet::new();
    for (input, violation) in violations {
        let mut connection = client();
        let mut bytes = hex(input);
        let mut input = &mut bytes[..];
        match connection.receive(&mut input) {
            Some(Event::Failed(found)) => assert_eq!(found, violation.into()),
            other => panic!("{other:?}"),
        }
        assert!(connection.receive(&mut input).is_none());
        connection.transmit(&mut Vec::new()).unwrap();
        assert_eq!(connection.next_step(), NextStep::AwaitEof);
        assert!(seen.insert(violation) && seen.len() <= violations.len());
        assert!(!violation.to_string().is_empty());
    }
}

#[test]
fn r6455_7_1_7_d_an_idle_client_never_owes_a_close() {
    let mut connection = client();
    for _ in 0..1000 {
        receive(&mut connection, "81 01 61 / 89 00 / 8A 00", false);
        let mut out = Vec::new();
        connection.transmit(&mut out).unwrap();
        assert_eq!(unmask(&out), hex("8A 00"));
    }
    assert_eq!((connection.state(), connection.next_step()), (State::Open, NextStep::Continue));
}

#[test]
fn r6455_7_2_1_a_an_unexpected_end_fails_the_connection_and_a_bad_response_the_handshake() {
    let mut connection = client();
    connection.receive_eof();
    assert_eq!((connection.next_step(), connection.wants_transmit()), (NextStep::Drop, false));
    let closure = connection.closure().unwrap();
    assert_eq!((closure.code, closure.clean), (1006, false));
    let response = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    assert_eq!(answer(response), Err(HandshakeError::UpgradeMissing));
}

#[test]
fn r6455_7_2_3_a_how_it_ended_is_enough_to_decide_on_a_reconnect() {
    let mut lost = client();
    lost.receive_eof();
    let mut told = client();
    receive(&mut told, "88 02 03 F5", false); // 1013: try again later
    told.transmit(&mut Vec::new()).unwrap();
    told.receive_eof();
    let ends = [lost, told].map(|connection| connection.closure().unwrap());
    assert_eq!(ends.map(|end| (end.clean, end.code)), [(false, 1006), (true, 1013)]);
}

#[test]
fn r6455_7_3_a_a_server_closes_when_it_likes() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.close(Some(&close(CloseCode::GOING_AWAY)), &mut out).unwrap();
    assert_eq!((out, connection.state()), (hex("88 02 03 E9"), State::Closing));
}

#[test]
fn r6455_7_4_1_c_applications_decide_on_1001_1003_1008_and_1011_in_both_roles() {
    let codes = [
        (CloseCode::GOING_AWAY, "88 02 03 E9"),
        (CloseCode::UNSUPPORTED_DATA, "88 02 03 EB"),
        (CloseCode::POLICY_VIOLATION, "88 02 03 F0"),
        (CloseCode::INTERNAL_ERROR, "88 02 03 F3"),
    ];
    for (code, expected) in codes {
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        server().close(Some(&close(code)), &mut to_client).unwrap();
        client().close(Some(&close(code)), &mut to_server).unwrap();
        assert_eq!((to_client, unmask(&to_server)), (hex(expected), hex(expected)));
    }
}

#[test]
fn r6455_10_1_a_forged_and_hostile_requests_are_validated_and_never_trusted() {
    // Random bytes, the same in each run, in a usual head. The fuzz targets do this for longer.
    let mut state = 0x1234_5678_9ABC_DEF0_u64;
    for _ in 0..2000 {
        let mut head = REQUEST.as_bytes().to_vec();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = state as usize % head.len();
            head[at] = (state >> 32) as u8;
        }
        head.extend(b"\r\n");
        let mut input = &mut head[..];
        if let Ok(Some(request)) = ServerHandshake::new().receive(&mut input) {
            // An accepted request is a complete request of this protocol.
            assert_eq!(request.method(), "GET");
            assert!(request.accept(&AcceptOptions::new(), &mut Vec::new()).is_ok());
        }
    }
}
