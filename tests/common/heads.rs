//! Heads received by both paths of a handshake: in one piece, which may take the quick path, and
//! with the first byte before the others, which takes the strict one.

use std::mem;

use websocket_proto::{
    Deflate,
    handshake::{
        AcceptOptions, ClientHandshake, HandshakeError, Offer, Request, Response, ServerHandshake,
        Target,
    },
};

/// All properties of a valid head, and for a request also the answer to it. `None` if the head was
/// not fully received.
pub type Verdict = Result<Option<String>, HandshakeError>;

/// Returns the result for a request with at most `LINES` header lines in at most `max_head` bytes.
/// Panics if the paths differ in the result, or in the bytes that they leave.
pub fn request<const LINES: usize>(bytes: &[u8], max_head: usize) -> Verdict {
    let new = || ServerHandshake::new().max_head(max_head).max_headers::<LINES>();
    both_paths(bytes, new, |handshake, input| {
        handshake.receive(input).map(|request| request.as_ref().map(show_request))
    })
}

/// Does the same for a response. The client has offered the subprotocols `chat` and `superchat`,
/// and compression.
pub fn response<const LINES: usize>(bytes: &[u8], max_head: usize) -> Verdict {
    let target = Target::parse("ws://example.com/chat").unwrap();
    let offer = Offer::new().subprotocols(&["chat", "superchat"]).deflate(&Deflate::OFFERS);
    let new = || {
        let out = &mut Vec::new();
        let handshake = ClientHandshake::start(&target, &offer, *b"the sample nonce", out).unwrap();
        handshake.max_head(max_head).max_headers::<LINES>()
    };
    both_paths(bytes, new, |handshake, input| {
        handshake.receive(input).map(|response| response.as_ref().map(show_response))
    })
}

fn both_paths<H>(
    bytes: &[u8],
    new: impl Fn() -> H,
    receive: impl Fn(&mut H, &mut &mut [u8]) -> Verdict,
) -> Verdict {
    let receive = |handshake: &mut H, front: usize| {
        let mut buffer = bytes[..front].to_vec();
        let mut input = &mut buffer[..];
        let verdict = receive(handshake, &mut input);
        (verdict, [mem::take(&mut input), &bytes[front..]].concat())
    };
    let quick = receive(&mut new(), bytes.len());
    let mut handshake = new();
    let mut strict = receive(&mut handshake, 1.min(bytes.len()));
    if strict.0 == Ok(None) {
        strict = receive(&mut handshake, bytes.len());
    }
    assert_eq!(quick, strict, "{}", bytes.escape_ascii());
    quick.0
}

fn show_request(request: &Request<'_>) -> String {
    let mut answer = Vec::new();
    let options = AcceptOptions::new().deflate(Deflate::new());
    let agreed = request.accept(&options, &mut answer);
    format!("{request:?} {} {agreed:?} {}", request.host(), answer.escape_ascii())
}

fn show_response(response: &Response<'_>) -> String {
    format!("{response:?}")
}
