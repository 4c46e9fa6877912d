//! The response by which a server accepts a request (§4.2.2).

use core::fmt::{self, Write};

use arrayvec::ArrayString;

use super::{
    deflate::Element,
    fields::{Field, Form},
    write::write_headers,
};
use crate::agreed::{Agreed, Deflate};

/// The choices of a server that accepts a request: subprotocol, compression, further headers.
///
/// ```
/// use websocket_proto::Deflate;
/// use websocket_proto::handshake::{AcceptOptions, HeadError, Request};
///
/// fn accept(request: &Request<'_>, out: &mut Vec<u8>) -> Result<bool, HeadError> {
///     let mut options = AcceptOptions::new()
///         .deflate(Deflate::new())
///         .headers(&[("Set-Cookie", "seen=1")]);
///     if let Some(name) = request.choose_subprotocol(&["chat.v2", "chat.v1"]) {
///         options = options.subprotocol(name);
///     }
///     let agreed = request.accept(&options, out)?;
///     Ok(agreed.deflate.is_some())
/// }
/// # let _ = accept;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AcceptOptions<'a> {
    pub(super) subprotocol: Option<&'a str>,
    pub(crate) deflate: Option<Deflate>,
    pub(super) headers: &'a [(&'a str, &'a str)],
}

impl<'a> AcceptOptions<'a> {
    /// Creates options without a subprotocol, without compression and without further headers.
    #[must_use]
    pub const fn new() -> Self {
        AcceptOptions { subprotocol: None, deflate: None, headers: &[] }
    }

    /// Sets the subprotocol: one that the client offered, as found by
    /// [`choose_subprotocol`](super::Request::choose_subprotocol).
    #[must_use]
    #[doc(alias("Sec-WebSocket-Protocol", "protocol"))]
    pub const fn subprotocol(mut self, name: &'a str) -> Self {
        self.subprotocol = Some(name);
        self
    }

    /// Sets the parameters for accepting an offer of compression (RFC 7692 §5).
    ///
    /// The first offer that can be served is accepted, with these parameters or tighter ones. The
    /// result is in [`Agreed::deflate`].
    #[must_use]
    #[doc(alias = "permessage-deflate")]
    #[doc(alias = "compression")]
    #[doc(alias = "Sec-WebSocket-Extensions")]
    pub const fn deflate(mut self, wanted: Deflate) -> Self {
        self.deflate = Some(wanted);
        self
    }

    /// Sets the header lines to add, such as a Set-Cookie. In the response to an extended CONNECT
    /// their names have to be in lower case.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }
}

/// A response that opens a connection, in parts. [`Request::response`](super::Request::response)
/// returns it for another HTTP stack to send.
///
/// All bytes that follow the response on the connection, or on the stream, belong to the WebSocket.
#[doc(alias = "101")]
#[doc(alias = "Sec-WebSocket-Accept")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AcceptResponse<'a> {
    form: Form,
    /// The Sec-WebSocket-Accept, if the request has a key to answer.
    accept_key: Option<ArrayString<28>>,
    subprotocol: Option<&'a str>,
    deflate: Option<(Deflate, Element)>,
    headers: &'a [(&'a str, &'a str)],
}

impl<'a> AcceptResponse<'a> {
    /// Creates a response from checked parts.
    pub(super) const fn new(
        options: &AcceptOptions<'a>,
        form: Form,
        accept_key: Option<ArrayString<28>>,
        deflate: Option<(Deflate, Element)>,
    ) -> Self {
        let AcceptOptions { subprotocol, headers, .. } = *options;
        AcceptResponse { form, accept_key, subprotocol, deflate, headers }
    }

    /// Returns the status: 101, or 200 in response to a CONNECT.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.form {
            Form::Upgrade => 101,
            // RFC 8441 §5: any 2xx. RFC 9113 §8.6: HTTP/2 has no 101.
            Form::Connect => 200,
        }
    }

    /// Returns the header fields, those of [`AcceptOptions`] last.
    ///
    /// In the response to a CONNECT all names are in lower case. A Sec-WebSocket-Accept is among
    /// them if the request has one well-formed Sec-WebSocket-Key, because a gateway that translates
    /// from HTTP/1.1 may wait for it.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        // §4.2.2: the fields of an acceptance. RFC 8441 §5: a CONNECT has neither of these two.
        let upgrade = (self.form == Form::Upgrade)
            .then_some([("Upgrade", "websocket"), ("Connection", "Upgrade")]);
        let accept_key = self.accept_key.as_ref();
        let accept_key = accept_key.map(|key| (self.form.name(Field::Accept), &**key));
        upgrade.into_iter().flatten().chain(accept_key).chain(self.choices())
    }

    /// Returns the header fields of [`AcceptOptions`].
    fn choices(&self) -> impl Iterator<Item = (&str, &str)> {
        let name = |field| self.form.name(field);
        let subprotocol = self.subprotocol.map(|subprotocol| (name(Field::Protocol), subprotocol));
        // §9.1: leaving an extension out declines it.
        let deflate = self.deflate.as_ref();
        let extensions = deflate.map(|(_, element)| (name(Field::Extensions), &**element));
        subprotocol.into_iter().chain(extensions).chain(self.headers.iter().copied())
    }

    /// Writes the head of a 101 response, with the [`headers`](Self::headers). The constant ones
    /// are written together, because each piece takes time.
    pub(super) fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: ",
        )?;
        out.write_str(self.accept_key.as_deref().unwrap_or_default())?;
        out.write_str("\r\n")?;
        write_headers(out, self.choices())
    }

    /// Returns what was agreed, for the [`Connection`](crate::Connection).
    #[must_use]
    pub const fn agreed(&self) -> Agreed {
        match &self.deflate {
            Some((deflate, _)) => Agreed { deflate: Some(*deflate) },
            None => Agreed::new(),
        }
    }
}
