//! The opening handshake in terms of the crate `http`, for stacks that speak it.

use alloc::string::ToString;
use core::fmt::{self, Display};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version,
    request::Parts,
    uri::{Authority, PathAndQuery},
};

use super::{
    accept::AcceptResponse,
    error::HandshakeError,
    head::RequestLine,
    offer::ClientRequest,
    request::{PseudoHeaders, Request},
    response::Response,
    target::Resource,
};

impl<'h> Request<'h, &'h HeaderMap> {
    /// Creates a request from what a stack on the crate `http` received. The version decides which
    /// kind it has to be: an Upgrade of HTTP/1.1, or an extended CONNECT of HTTP/2 or HTTP/3. Needs
    /// the feature `http`.
    ///
    /// `protocol` is the `:protocol` of a CONNECT. Each stack stores it in the extensions of the
    /// request, in a type of its own such as `hyper::ext::Protocol` or `h2::ext::Protocol`. An
    /// Upgrade has none.
    ///
    /// ```
    /// use websocket_proto::Agreed;
    /// use websocket_proto::handshake::{AcceptOptions, Request};
    ///
    /// /// The response to a request, and what the connection behind it has to know.
    /// fn answer(
    ///     parts: &http::request::Parts,
    /// ) -> http::Result<(http::Response<()>, Option<Agreed>)> {
    ///     // With hyper: parts.extensions.get().map(hyper::ext::Protocol::as_str)
    ///     let protocol = None;
    ///     let request = match Request::from_parts(parts, protocol) {
    ///         Ok(request) => request,
    ///         Err(error) => return Ok((error.into_response(parts.version), None)),
    ///     };
    ///     let options = AcceptOptions::new();
    ///     let response = request.response(&options).expect("no headers that it may not have");
    ///     Ok((response.into_response()?, Some(response.agreed())))
    /// }
    /// # let request = http::Request::get("/chat")
    /// #     .header("host", "server.example.com")
    /// #     .header("upgrade", "websocket")
    /// #     .header("connection", "Upgrade")
    /// #     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    /// #     .header("sec-websocket-version", "13");
    /// # let (response, agreed) = answer(&request.body(())?.into_parts().0)?;
    /// # assert_eq!(response.status(), 101);
    /// # assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # assert_eq!(agreed, Some(Agreed::new()));
    /// # Ok::<(), http::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which rule the request breaks. The server answers with its
    /// [`into_response`](HandshakeError::into_response), or takes the request for plain HTTP.
    pub fn from_parts(parts: &'h Parts, protocol: Option<&'h str>) -> Result<Self, HandshakeError> {
        let Parts { method, uri, headers, .. } = parts;
        let scheme = uri.scheme_str();
        let authority = uri.authority().map(Authority::as_str);
        let path = uri.path_and_query().map(PathAndQuery::as_str);
        if parts.version >= Version::HTTP_2 {
            let pseudo = PseudoHeaders::new(method.as_str())
                .protocol(protocol)
                .scheme(scheme)
                .authority(authority)
                .path(path);
            return Request::connect(pseudo, headers);
        }
        // The stack has split the target. Its parts are validated below, so this line gets one
        // that is always valid.
        let line = RequestLine::upgrade(method.as_str(), numbers(parts.version), "/")?;
        let (authority, resource) =
            Resource::of_parts(scheme, authority, path.unwrap_or_default())?;
        Request::from_line(RequestLine { authority, resource, ..line }, headers)
    }
}

impl AcceptResponse<'_> {
    /// Returns the response for a stack on the crate `http` to send, made of
    /// [`status`](AcceptResponse::status) and [`headers`](AcceptResponse::headers). Needs the
    /// feature `http`.
    ///
    /// # Errors
    ///
    /// A header's name is longer than the crate `http` takes (64 KiB), or there are more headers
    /// than a `HeaderMap` can hold.
    pub fn into_response(self) -> http::Result<http::Response<()>> {
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::from_u16(self.status())?;
        append(response.headers_mut(), self.headers())?;
        Ok(response)
    }
}

impl HandshakeError {
    /// Returns the response for a stack on the crate `http` to send. `version` is that of the
    /// request. Needs the feature `http`.
    ///
    /// Over HTTP/1.1 the response has the [`status`](HandshakeError::status) and the
    /// [`headers`](HandshakeError::headers) of the error, over HTTP/2 and HTTP/3 the
    /// [`connect_status`](HandshakeError::connect_status) and the
    /// [`connect_headers`](HandshakeError::connect_headers).
    ///
    /// ```
    /// use http::Version;
    /// use websocket_proto::handshake::HandshakeError;
    ///
    /// let response = HandshakeError::UpgradeMissing.into_response(Version::HTTP_11);
    /// assert_eq!(response.status(), 426);
    /// assert_eq!(response.headers()["sec-websocket-version"], "13");
    /// ```
    #[must_use]
    pub fn into_response(self, version: Version) -> http::Response<()> {
        let (status, headers) = if version >= Version::HTTP_2 {
            (self.connect_status(), self.connect_headers())
        } else {
            (self.status(), self.headers())
        };
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        // This cannot fail: the fields are few, constant and well formed.
        let _ = append(response.headers_mut(), headers.iter().copied());
        response
    }
}

impl ClientRequest<'_> {
    /// Returns the request for a stack on the crate `http` to send. Needs the feature `http`.
    ///
    /// The URI of an Upgrade is a path and a query, unless [`Offer::absolute_form`] is set. The URI
    /// of a CONNECT is absolute. Before you send a CONNECT, insert its
    /// [`protocol`](ClientRequest::protocol) into the extensions of the request, in the stack's own
    /// type for it.
    ///
    /// ```
    /// use websocket_proto::handshake::{ClientRequest, Offer, Response, Target};
    ///
    /// let target = Target::parse("ws://example.com/chat")?;
    /// let nonce = *b"the sample nonce"; // from `handshake::nonce()`, for example
    /// let opening = ClientRequest::upgrade(&target, &Offer::new(), nonce)?;
    /// let request = opening.to_request()?;
    /// assert_eq!((request.method(), request.uri().path()), (&http::Method::GET, "/chat"));
    ///
    /// // The stack sends that, and receives a response:
    /// # let response = http::Response::builder()
    /// #     .status(101)
    /// #     .header("upgrade", "websocket")
    /// #     .header("connection", "Upgrade")
    /// #     .header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    /// #     .body(())?;
    /// match opening.validate_response(&response)? {
    ///     Response::Accepted(response) => assert_eq!(response.subprotocol(), None),
    ///     Response::Refused(response) => panic!("HTTP status {}", response.status()),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The crate `http` does not take the path (one with a backquote, for example), the name of a
    /// header (64 KiB and more), or so many headers.
    ///
    /// [`Offer::absolute_form`]: super::Offer::absolute_form
    pub fn to_request(&self) -> http::Result<http::Request<()>> {
        let mut request = http::Request::new(());
        *request.method_mut() = self.method().parse()?;
        *request.uri_mut() = Uri::try_from(Written(self).to_string())?;
        if self.protocol().is_some() {
            *request.version_mut() = Version::HTTP_2;
        }
        append(request.headers_mut(), self.headers())?;
        Ok(request)
    }

    /// Validates a response that a stack on the crate `http` received, as
    /// [`validate`](ClientRequest::validate) does. Needs the feature `http`.
    ///
    /// # Errors
    ///
    /// Those of [`validate`](ClientRequest::validate).
    pub fn validate_response<'h, B>(
        &self,
        response: &'h http::Response<B>,
    ) -> Result<Response<'h, &'h HeaderMap>, HandshakeError> {
        let status = response.status().as_u16();
        self.validate(status, numbers(response.version()), response.headers())
    }
}

/// The URI of a request.
struct Written<'r, 'o>(&'r ClientRequest<'o>);

impl Display for Written<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_target(f)
    }
}

/// The major and the minor version.
const fn numbers(version: Version) -> (u8, u8) {
    match version {
        Version::HTTP_09 => (0, 9),
        Version::HTTP_10 => (1, 0),
        Version::HTTP_11 => (1, 1),
        Version::HTTP_2 => (2, 0),
        _ => (3, 0),
    }
}

/// Appends header fields as they are.
fn append<'a>(
    map: &mut HeaderMap,
    headers: impl Iterator<Item = (&'a str, impl Display)>,
) -> http::Result<()> {
    for (name, value) in headers {
        let value = HeaderValue::try_from(value.to_string().into_bytes())?;
        map.try_append(HeaderName::try_from(name)?, value)?;
    }
    Ok(())
}
