//! Requests in lines, and their results on the server's side of the opening handshake.

use std::{panic, str};

use websocket_proto::Agreed;
use websocket_proto::handshake::{
    AcceptOptions, HandshakeError, HandshakeError::*, Request, ServerHandshake,
};

/// A request in lines: the sample of RFC 6455 §1.2, unless changed.
#[derive(Clone)]
pub struct Head {
    pub line: Vec<u8>,
    pub headers: Vec<Vec<u8>>,
}

pub fn sample() -> Head {
    let headers = [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: http://example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Version: 13",
    ];
    let headers = headers.iter().map(|line| line.as_bytes().to_vec()).collect();
    Head { line: b"GET /chat HTTP/1.1".to_vec(), headers }
}

impl Head {
    pub fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.line = line.as_ref().to_vec();
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|line| !line.starts_with(format!("{name}:").as_bytes()));
        assert!(self.headers.len() < before, "{name} is in the sample");
        self
    }

    pub fn plus(mut self, line: impl AsRef<[u8]>) -> Self {
        self.headers.push(line.as_ref().to_vec());
        self
    }

    /// Replaces the line of this name.
    pub fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let line = [name.as_bytes(), b": ", value.as_ref()].concat();
        self.without(name).plus(line)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.line.clone();
        for line in &self.headers {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(line);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }
}

/// All properties of a request, owned, and the bytes left in the input after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub resource: String,
    pub host: String,
    pub origin: Option<String>,
    pub same_origin: bool,
    pub subprotocols: Vec<String>,
    pub extensions: Vec<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub answer: Vec<u8>,
    pub behind: Vec<u8>,
}

pub fn see(request: &Request<'_>, behind: Vec<u8>) -> Seen {
    let mut answer = Vec::new();
    assert_eq!(request.accept(&AcceptOptions::new(), &mut answer), Ok(Agreed::new()));
    let extensions = request.extensions().map(|extension| {
        let params = extension.params().map(|(name, value)| match value {
            Some(value) => format!("; {name}={value}"),
            None => format!("; {name}"),
        });
        extension.name().to_owned() + &params.collect::<String>()
    });
    assert_eq!(request.method(), "GET");
    Seen {
        resource: request.resource().to_string(),
        host: request.host().to_owned(),
        origin: request.origin().map(str::to_owned),
        same_origin: request.is_same_origin(),
        subprotocols: request.subprotocols().map(str::to_owned).collect(),
        extensions: extensions.collect(),
        headers: request.headers().iter().map(|(n, v)| (n.to_owned(), v.to_vec())).collect(),
        answer,
        behind,
    }
}

/// Feeds `bytes` in reads that end at `cuts`, each time in another buffer.
pub fn feed<const N: usize>(
    mut handshake: ServerHandshake<N>,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<Seen>, HandshakeError> {
    for cut in cuts.into_iter().chain([bytes.len()]) {
        let mut buffer = bytes[..cut].to_vec();
        let mut input = &mut buffer[..];
        match handshake.receive(&mut input) {
            Ok(None) => assert_eq!(input, &bytes[..cut], "the input is as it was"),
            Ok(Some(request)) => {
                let behind = [input, &bytes[cut..]].concat();
                return Ok(Some(see(&request, behind)));
            }
            Err(error) => {
                assert_eq!(input, &bytes[..cut], "the input is as it was");
                assert_eq!(handshake.receive(&mut input).err(), Some(error), "asked again");
                return Err(error);
            }
        }
    }
    Ok(None)
}

/// Returns the result for `bytes`, which is the same whole, in each two reads, and byte by byte.
pub fn verdict_of<const N: usize>(
    handshake: &ServerHandshake<N>,
    bytes: &[u8],
) -> Result<Option<Seen>, HandshakeError> {
    let whole = feed(handshake.clone(), bytes, []);
    // Long heads are split at a hundred places only.
    let step = if bytes.len() < 1000 { 1 } else { bytes.len() / 100 };
    for cut in (0..bytes.len()).step_by(step) {
        assert_eq!(feed(handshake.clone(), bytes, [cut]), whole, "cut at {cut}");
    }
    assert_eq!(feed(handshake.clone(), bytes, (0..bytes.len()).step_by(step)), whole, "in bytes");
    whole
}

pub fn verdict(bytes: &[u8]) -> Result<Option<Seen>, HandshakeError> {
    verdict_of(&ServerHandshake::new(), bytes)
}

#[track_caller]
pub fn accepted(head: &Head) -> Seen {
    verdict(&head.bytes()).expect("accepted").expect("whole")
}

/// Passes the request of this head to `act`.
pub fn with_request<T>(head: &Head, act: impl FnOnce(&Request<'_>) -> T) -> T {
    let mut bytes = head.bytes();
    act(&ServerHandshake::new().receive(&mut &mut bytes[..]).unwrap().unwrap())
}

/// A request and the rule that it breaks, if any.
pub struct Vector {
    /// The ids of the rows that it covers.
    pub id: &'static str,
    pub head: Head,
    pub expected: Result<(), HandshakeError>,
}

/// Runs all vectors, then reports all failures, each with its id.
pub fn check(vectors: impl IntoIterator<Item = Vector>) {
    let mut failures = Vec::new();
    for Vector { id, head, expected } in vectors {
        let bytes = head.bytes();
        // `verdict` panics if the result depends on how the bytes are split.
        let seen = panic::catch_unwind(|| verdict(&bytes));
        match &seen {
            Ok(Ok(Some(_))) if expected.is_ok() => {}
            Ok(Err(error)) if expected == Err(*error) => {}
            _ => failures.push(format!("{id}: {}: {seen:?}", bytes.escape_ascii())),
        }
        // If another parser accepts the bytes as a request, its parts give the same result.
        let parsed = parsed(&bytes)
            .filter(|_| !matches!(expected, Err(MalformedLine | MalformedHeader | ControlByte(_))));
        let ours = seen
            .ok()
            .and_then(Result::transpose)
            .map(|seen| seen.map(|seen| [seen.host.into(), seen.resource.into(), seen.answer]));
        if parsed.is_some() && parsed != ours {
            failures.push(format!("{id}: {}: as parts: {parsed:?}", bytes.escape_ascii()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Returns the result for a request that another parser has parsed: its host, its resource and the
/// answer. `None` if that parser refuses it.
pub fn parsed(bytes: &[u8]) -> Option<Result<[Vec<u8>; 3], HandshakeError>> {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut slots);
    parsed.parse(bytes).ok().filter(httparse::Status::is_complete)?;
    let headers: Vec<_> = parsed.headers.iter().map(|line| (line.name, line.value)).collect();
    let fields = headers.iter().map(|(name, value)| (name, value));
    let request = Request::upgrade(parsed.method?, (1, parsed.version?), parsed.path?, fields);
    Some(request.map(|request| {
        let mut answer = Vec::new();
        request.accept(&AcceptOptions::new(), &mut answer).unwrap();
        [request.host().into(), request.resource().to_string().into(), answer]
    }))
}

/// Returns the status of the answer to a request that breaks a rule, and its text.
pub fn answer(head: &Head) -> (u16, String) {
    let error = verdict(&head.bytes()).expect_err("refused");
    let mut out = Vec::new();
    error.respond(&mut out).unwrap();
    (error.status(), String::from_utf8(out).unwrap())
}
