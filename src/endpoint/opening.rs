//! The opening handshake inside an endpoint: its head, the request that waits, the response.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, mem, ops::Deref};

use super::{
    Endpoint, Phase,
    compression::Codec,
    incoming::Incoming,
    inside::{Announcement, ClientOpening, Inside, Opening},
    options::Options,
    report::Cause,
    sending::Sender,
};
use crate::{
    agreed::Agreed,
    error::InternalError,
    handshake::{
        AcceptOptions, ClientHandshake, HandshakeError, HeadError, Offer, Request, Response,
        ServerHandshake, Target, reject,
    },
    role::{Client, MaskSource, Role, Server},
};

impl Endpoint<Server> {
    /// Creates a server that waits for a client's request.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Incoming, Options};
    /// use websocket_proto::handshake::AcceptOptions;
    ///
    /// let mut ws = Endpoint::server(&Options::new());
    /// let mut read = *b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    ///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    /// let mut input = &mut read[..];
    /// while let Some((incoming, _)) = ws.receive(&mut input) {
    ///     if let Incoming::Request = incoming {
    ///         let request = ws.request().expect("it was just reported");
    ///         match request.resource().path() {
    ///             "/chat" => request.accept(&AcceptOptions::new())?,
    ///             _ => request.reject(404, &[], b"")?,
    ///         }
    ///     }
    /// }
    /// assert!(ws.output().starts_with(b"HTTP/1.1 101 "));
    /// # Ok::<(), websocket_proto::handshake::HeadError>(())
    /// ```
    #[must_use]
    #[doc(alias("accept", "listen"))]
    pub fn server(options: &Options) -> Self {
        let handshake = ServerHandshake::new().max_head(options.0.max_head);
        Endpoint::new(Server, options, Some(Opening::Server(handshake)))
    }

    /// Returns the request that waits for an answer, from [`Incoming::Request`] until it was
    /// answered.
    ///
    /// The answer may be given at once or much later, for example when a database has been asked.
    /// Meanwhile no input is [wanted](Endpoint::wants_read). After the time of
    /// [`Limit::Decision`](crate::Limit::Decision), which counts from the report of the request,
    /// the client is sent status 503.
    pub fn request(&mut self) -> Option<Waiting<'_>> {
        let Endpoint { inbox, sender } = self;
        let Inside { opening, kept, .. } = inbox.inside.as_deref_mut()?;
        let (Phase::Deciding, Some(Opening::Server(handshake))) = (sender.phase, opening) else {
            return None;
        };
        // The head was validated before, so this only finds its parts again.
        let (mut head, _) = kept.split();
        let request = handshake.receive(&mut head).ok()??;
        Some(Waiting { request, inflater: &mut inbox.inflater, sender })
    }
}

/// A request that waits for the server's answer. It derefs to [`Request`], which has all of its
/// parts.
///
/// See [`Endpoint::request`]. Dropping this value leaves the request waiting.
#[doc(alias("upgrade", "accept", "reject"))]
pub struct Waiting<'e> {
    request: Request<'e>,
    inflater: &'e mut Option<Box<Codec>>,
    sender: &'e mut Sender<Server>,
}

impl<'e> Deref for Waiting<'e> {
    type Target = Request<'e>;

    fn deref(&self) -> &Request<'e> {
        &self.request
    }
}

impl Waiting<'_> {
    /// Accepts the request: the connection is open, and messages can be sent at once (§4.2.2).
    ///
    /// Whether compression is agreed on depends on the [`Options`], and not on `accept`.
    ///
    /// # Errors
    ///
    /// As for [`Request::accept`]. Nothing changed, so the request can be answered in another way.
    pub fn accept(self, accept: &AcceptOptions<'_>) -> Result<(), HeadError> {
        let Waiting { request, inflater, sender } = self;
        let mut accept = *accept;
        let compression = sender.settings.0.compression.as_ref();
        accept.deflate = compression.map(|compression| compression.deflate);
        let agreed = request.accept(&accept, &mut sender.out)?;
        // What was agreed comes from the same options as the codecs.
        let _ = sender.open(agreed, inflater);
        Ok(())
    }

    /// Refuses the request with an HTTP status between 200 and 599, further header lines and a body
    /// (§4.2.2). The endpoint ends once the client has received the response.
    ///
    /// # Errors
    ///
    /// As for [`reject`]. Nothing changed, so the request can be answered in another way.
    pub fn reject(
        self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), HeadError> {
        reject(status, headers, body, &mut self.sender.out)?;
        self.sender.refuse(Cause::Status(status));
        Ok(())
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiting").field(&self.request).finish()
    }
}

impl Sender<Server> {
    /// Replaces the response that refuses a request by one with this HTTP status between 200 and
    /// 599, header lines and body. Call this when a [failed](Incoming::HandshakeFailed) request is
    /// reported, for example to send a page to a browser or to answer a load balancer's health
    /// check.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Incoming, Options};
    /// use websocket_proto::handshake::HandshakeError;
    ///
    /// let mut ws = Endpoint::server(&Options::new());
    /// let mut read = *b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    /// if let Some((incoming, sender)) = ws.receive(&mut &mut read[..]) {
    ///     if let Incoming::HandshakeFailed(HandshakeError::UpgradeMissing) = incoming {
    ///         sender.respond(200, &[("Content-Type", "text/plain")], b"alive")?;
    ///     }
    /// }
    /// assert!(ws.output().starts_with(b"HTTP/1.1 200 "));
    /// # Ok::<(), websocket_proto::handshake::HeadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HeadError::AlreadyAnswered`] if there is no such response, or if some of it was written
    /// already; otherwise as for [`reject`]. Nothing changed.
    #[doc(alias("page", "health"))]
    pub fn respond(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), HeadError> {
        let is_whole = self.written == 0 && self.handed_out == 0 && !self.out.is_empty();
        if self.phase != Phase::Answered || !is_whole {
            return Err(HeadError::AlreadyAnswered);
        }
        let mut out = Vec::new();
        reject(status, headers, body, &mut out)?;
        self.out = out;
        Ok(())
    }
}

impl<M: MaskSource> Endpoint<Client<M>> {
    /// Creates a client whose request for `target` is in the [output](Endpoint::output).
    ///
    /// `nonce` is 16 random bytes, drawn for this connection and no other (§4.1), such as those of
    /// `handshake::nonce`. `mask` is the source of masking keys, such as `SystemMask`. What `offer`
    /// says of compression is replaced by what the [`Options`] say.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Incoming, Options};
    /// use websocket_proto::handshake::{Offer, Target};
    ///
    /// let target = Target::parse("ws://example.com/chat")?;
    /// let nonce = *b"the sample nonce"; // from `handshake::nonce()`
    /// let mask = || [0x37, 0xFA, 0x21, 0x3D]; // from `SystemMask::new()`
    /// let mut ws = Endpoint::client(&target, &Offer::new(), nonce, mask, &Options::new())?;
    /// assert!(ws.output().starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
    ///
    /// let mut read = *b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";
    /// match ws.receive(&mut &mut read[..]) {
    ///     Some((Incoming::Opened(response), sender)) => sender.text("hello")?,
    ///     Some((Incoming::Refused { response, body }, _)) => {
    ///         assert_eq!((response.status(), body), (404, &b"none"[..]));
    ///     }
    ///     _ => {}
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`ClientHandshake::start`].
    #[doc(alias = "connect")]
    pub fn client(
        target: &Target<'_>,
        offer: &Offer<'_>,
        nonce: [u8; 16],
        mask: M,
        options: &Options,
    ) -> Result<Self, HeadError> {
        let offers = options.0.compression.as_ref().map(|compression| compression.offers());
        let offers = match &offers {
            Some([one, other]) if one == other => core::slice::from_ref(one),
            Some(offers) => &offers[..],
            None => &[],
        };
        let offer = offer.deflate(offers);
        let mut out = Vec::new();
        let handshake = ClientHandshake::start(target, &offer, nonce, &mut out)?;
        let opening = Opening::Client(ClientOpening {
            handshake: handshake.with_lists(&[], &[]).max_head(options.0.max_head),
            subprotocols: offer.subprotocols.iter().map(|&name| name.into()).collect(),
            deflate: offers.into(),
        });
        let mut endpoint = Endpoint::new(Client(mask), options, Some(opening));
        endpoint.sender.out = out;
        Ok(endpoint)
    }
}

impl<R: Role> Endpoint<R> {
    /// Creates an endpoint for a connection that is open, because its handshake was made elsewhere:
    /// by hyper, on a stream of HTTP/2 or HTTP/3, or in another process.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Options};
    /// use websocket_proto::{Agreed, Server};
    ///
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// ws.text("hi")?;
    /// assert_eq!(ws.output(), b"\x81\x02hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InternalError::NoInflater`] if compression was agreed on and the options have no codec for
    /// it: none at all, or shared ones although the peer takes its context over.
    pub fn open(role: R, agreed: Agreed, options: &Options) -> Result<Self, InternalError> {
        let mut endpoint = Endpoint::new(role, options, None);
        endpoint.sender.open(agreed, &mut endpoint.inbox.inflater)?;
        Ok(endpoint)
    }
}

impl Inside {
    /// Takes as much of `input` as a head may have, and looks for the end of the head.
    pub(super) fn receive_head<R: Role>(
        &mut self,
        sender: &mut Sender<R>,
        inflater: &mut Option<Box<Codec>>,
        input: &mut &mut [u8],
    ) -> Option<Announcement> {
        let room = sender.settings.0.max_head.saturating_sub(self.kept.len()).min(input.len());
        let (front, rest) = mem::take(input).split_at_mut_checked(room).unwrap_or_default();
        *input = rest;
        let announcement = self.find_head(sender, inflater, front).unwrap_or_else(|error| {
            mem::take(input);
            sender.fail_opening(error);
            Some(Announcement::Failed(error))
        });
        // If the head is incomplete, all bytes were searched, and none waits.
        sender.holding = self.holds(sender.phase);
        if sender.eof && sender.phase == Phase::Head {
            sender.abort();
        }
        announcement
    }

    fn find_head<R: Role>(
        &mut self,
        sender: &mut Sender<R>,
        inflater: &mut Option<Box<Codec>>,
        input: &[u8],
    ) -> Result<Option<Announcement>, HandshakeError> {
        // If there is no memory for the head, it counts as too long.
        self.kept.push(input).map_err(|_| HandshakeError::HeadTooLarge)?;
        let (_, mut rest) = self.kept.split();
        let announcement = match &mut self.opening {
            Some(Opening::Server(handshake)) => {
                if handshake.receive(&mut rest)?.is_none() {
                    return Ok(None);
                }
                sender.phase = Phase::Deciding;
                Announcement::Request
            }
            Some(Opening::Client(handshake)) => {
                match handshake.receive(&mut rest)? {
                    None => return Ok(None),
                    // This cannot fail, because the offer was made for the codecs.
                    Some(Response::Accepted(response)) => {
                        let _ = sender.open(response.agreed(), inflater);
                    }
                    Some(Response::Refused(response)) => {
                        sender.never_open(Cause::Status(response.status()));
                    }
                }
                Announcement::Response
            }
            None => return Ok(None),
        };
        let behind = rest.len();
        self.kept.start = self.kept.end.saturating_sub(behind);
        Ok(Some(announcement))
    }

    /// Returns the event for the result of the head.
    pub(super) fn announce(&mut self, announcement: Announcement) -> Incoming<'_> {
        let (mut head, rest) = self.kept.split();
        match (announcement, &mut self.opening) {
            (Announcement::Failed(error), _) => Incoming::HandshakeFailed(error),
            // The head was validated before, so this only finds its parts again.
            (Announcement::Response, Some(Opening::Client(handshake))) => {
                match handshake.receive(&mut head) {
                    Ok(Some(Response::Accepted(response))) => Incoming::Opened(response),
                    Ok(Some(Response::Refused(response))) => {
                        Incoming::Refused { response, body: rest }
                    }
                    _ => Incoming::HandshakeFailed(HandshakeError::InvalidStatus),
                }
            }
            _ => Incoming::Request,
        }
    }
}
