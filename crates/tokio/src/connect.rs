//! The ways in: a client by URL, a client or a server over a stream.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
#[cfg(feature = "tls")]
use tokio_rustls::{TlsConnector, client::TlsStream, rustls};
use websocket_proto::{Role, handshake::ClientRequest};

use crate::{
    AcceptOptions, Client, Compression, Endpoint, Error, HeadError, Offer, Options, Server,
    SystemMask, Target, Waiting, WebSocket,
};

/// Connects to a `ws` or `wss` URL over TCP, with TLS for `wss`: [`Builder::connect`] with the
/// defaults.
///
/// ```no_run
/// # async fn run() -> Result<(), websocket_proto_tokio::Error> {
/// let mut ws = websocket_proto_tokio::connect("ws://127.0.0.1:9003/").await?;
/// ws.send("hello").await?;
/// println!("{:?}", ws.message().await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As for [`Builder::connect`].
pub async fn connect(url: &str) -> Result<WebSocket<Transport, Client<SystemMask>>, Error> {
    Builder::new().connect(url).await
}

/// Makes the opening handshake of a client over any stream: [`Builder::client`] with the defaults.
///
/// # Errors
///
/// As for [`Builder::client`].
pub async fn client<S>(stream: S, url: &str) -> Result<WebSocket<S, Client<SystemMask>>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Builder::new().client(stream, url).await
}

/// Makes the opening handshake of a server, and accepts every client: [`Builder::accept`] with the
/// defaults.
///
/// # Errors
///
/// As for [`Builder::accept`].
pub async fn accept<S>(stream: S) -> Result<WebSocket<S, Server>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Builder::new().accept(stream).await
}

/// Makes the opening handshake of a server. `decide` answers the request:
/// [`WebSocket::accept_with`] with the defaults.
///
/// # Errors
///
/// As for [`WebSocket::accept_with`].
pub async fn accept_with<S>(
    stream: S,
    decide: impl FnOnce(Waiting<'_>) -> Result<(), HeadError>,
) -> Result<WebSocket<S, Server>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    WebSocket::accept_with(stream, &Options::new(), decide).await
}

/// Makes the opening handshake of a server. `decide` answers the request, and may wait for a
/// database: [`Builder::accept_with_async`] with the defaults.
///
/// # Errors
///
/// As for [`Builder::accept_with_async`].
pub async fn accept_with_async<S>(
    stream: S,
    decide: impl AsyncFnOnce(&Received) -> Decision,
) -> Result<WebSocket<S, Server>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Builder::new().accept_with_async(stream, decide).await
}

/// Opens WebSockets with settings: subprotocols, headers, compression, limits, TLS. One value
/// serves any number of connections of either role.
///
/// ```
/// use websocket_proto_tokio::Builder;
///
/// let builder = Builder::new().subprotocol("chat.v2").subprotocol("chat.v1");
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
/// Each way in validates the settings before it dials or reads: [`Error::Head`] says which header,
/// subprotocol or origin is not valid.
///
pub struct Builder {
    options: Options,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    origin: Option<String>,
    limit: Duration,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl Builder {
    /// Creates a builder without subprotocols, further headers and compression, with the limits of
    /// [`Options::new`].
    #[must_use]
    pub fn new() -> Self {
        Builder {
            options: Options::new(),
            subprotocols: Vec::new(),
            headers: Vec::new(),
            origin: None,
            limit: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets the options of the endpoint: sizes, time limits, compression. Call it before
    /// [`compression`](Builder::compression), which changes them.
    #[must_use]
    pub fn options(self, options: &Options) -> Self {
        Builder { options: options.clone(), ..self }
    }

    /// Adds a subprotocol, the most preferred one first. A client offers them, and a server chooses
    /// the first that the client offers (§1.9).
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Adds a header line to the request of a client, or to the response of a server that accepts.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the origin that a client sends (§4.1); none unless set.
    #[must_use]
    pub fn origin(self, origin: impl Into<String>) -> Self {
        Builder { origin: Some(origin.into()), ..self }
    }

    /// Sets how messages are compressed (RFC 7692); not at all unless set.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Builder { options: self.options.compression(compression), ..self }
    }

    /// Compresses messages by zlib where the peer agrees, with codecs that all connections of this
    /// builder share, so that an idle connection has none (RFC 7692).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compress(self) -> Self {
        self.compression(Compression::shared(crate::ZlibStock::new(6)))
    }

    /// Sets how long a client may take to connect over TCP and to make the handshake of TLS; 10 s
    /// unless set. The opening handshake has a limit of its own in the [`Options`].
    #[must_use]
    pub fn connect_limit(self, limit: Duration) -> Self {
        Builder { limit, ..self }
    }

    /// Sets the configuration of TLS for `wss`; unless set, the certificates that the operating
    /// system trusts, which the environment variable `SSL_CERT_FILE` replaces.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, config: Arc<rustls::ClientConfig>) -> Self {
        Builder { tls: Some(config), ..self }
    }

    /// Connects to a `ws`, `wss`, `http` or `https` URL over TCP, with TCP_NODELAY, and makes the
    /// opening handshake. `wss` and `https` need the feature `tls`.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] and [`Error::Head`] before anything is dialled; [`Error::Io`] for TCP;
    /// [`Error::Tls`], also without the feature; otherwise as for [`client`](Builder::client).
    pub async fn connect(
        &self,
        url: &str,
    ) -> Result<WebSocket<Transport, Client<SystemMask>>, Error> {
        let target = Target::parse(url)?;
        let dialled = timeout(self.limit, self.dial(&target)).await;
        let stream = dialled.map_err(|_| Error::Io(io::ErrorKind::TimedOut.into()))??;
        self.open(stream, &target).await
    }

    async fn dial(&self, target: &Target<'_>) -> Result<Transport, Error> {
        if target.secure() && !cfg!(feature = "tls") {
            return Err(Error::Tls(io::Error::other("the feature `tls` is off")));
        }
        let stream = TcpStream::connect((target.host(), target.port())).await?;
        stream.set_nodelay(true)?;
        self.check()?;
        if !target.secure() {
            return Ok(Transport::Plain(stream));
        }
        self.secure(stream, target).await
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: TcpStream, target: &Target<'_>) -> Result<Transport, Error> {
        let invalid = |error| Error::Tls(io::Error::other(error));
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => system_roots().map_err(Error::Tls)?,
        };
        let host = target.host().to_owned();
        let name = rustls::pki_types::ServerName::try_from(host).map_err(invalid)?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(Error::Tls)?;
        Ok(Transport::Tls(Box::new(stream)))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, stream: TcpStream, _: &Target<'_>) -> Result<Transport, Error> {
        Ok(Transport::Plain(stream))
    }

    /// Makes the opening handshake of a client over `stream`, which is connected to the host of
    /// `url`, through TLS if the URL says so.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] and [`Error::Head`] if the URL or the settings are not valid, otherwise as for
    /// [`WebSocket::connect`].
    pub async fn client<S>(
        &self,
        stream: S,
        url: &str,
    ) -> Result<WebSocket<S, Client<SystemMask>>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.open(stream, &Target::parse(url)?).await
    }

    async fn open<S>(
        &self,
        stream: S,
        target: &Target<'_>,
    ) -> Result<WebSocket<S, Client<SystemMask>>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (subprotocols, headers) = (self.subprotocols(), self.headers());
        let offer = self.offer(&subprotocols, &headers);
        WebSocket::connect(stream, target, &offer, &self.options).await
    }

    /// Makes the opening handshake of a server, and accepts clients of every origin and resource. A
    /// server that trusts cookies has to check the origin: see
    /// [`accept_with_async`](Builder::accept_with_async).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::accept`]; [`Error::Head`] if the settings are not valid.
    fn offer<'o>(
        &'o self,
        subprotocols: &'o [&'o str],
        headers: &'o [(&'o str, &'o str)],
    ) -> Offer<'o> {
        let offer = Offer::new().subprotocols(subprotocols).headers(headers);
        self.origin.iter().fold(offer, |offer, origin| offer.origin(origin))
    }

    /// Validates the settings before anything is dialled or read. The rules for the headers of
    /// requests and responses are the same.
    fn check(&self) -> Result<(), Error> {
        let (subprotocols, headers) = (self.subprotocols(), self.headers());
        let offer = self.offer(&subprotocols, &headers);
        let target = Target::parse("ws://localhost/")?;
        ClientRequest::upgrade(&target, &offer, [0; 16])?;
        Ok(())
    }

    pub async fn accept<S>(&self, stream: S) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        WebSocket::accept_with(stream, &self.options, |request| self.answer(request)).await
    }

    fn answer(&self, request: Waiting<'_>) -> Result<(), HeadError> {
        let headers = self.headers();
        let mut accept = AcceptOptions::new().headers(&headers);
        let chosen = request.choose_subprotocol(&self.subprotocols());
        self.check()?;
        if let Some(name) = chosen {
            accept = accept.subprotocol(name);
        }
        request.accept(&accept)
    }

    /// Makes the opening handshake of a server. `decide` may await something before it answers. Its
    /// future is dropped at the end of [`Limit::Decision`](crate::Limit::Decision), and as soon as the
    /// client leaves: the client ended its side, or the stream failed.
    ///
    /// A client that sends something before the answer breaks a rule (§4.1). What it sent is received
    /// after the answer, but that it left may be noticed only then.
    ///
    /// ```
    /// use websocket_proto_tokio::{Builder, Decision, Error, Server, WebSocket};
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    ///
    /// async fn open<S>(stream: S) -> Result<WebSocket<S, Server>, Error>
    /// where
    ///     S: AsyncRead + AsyncWrite + Unpin,
    /// {
    ///     let decide = async |request: &websocket_proto_tokio::Received| {
    ///         match may_enter(request.header("authorization")).await {
    ///             true => Decision::Accept,
    ///             false => Decision::Reject(401),
    ///         }
    ///     };
    ///     Builder::new().accept_with_async(stream, decide).await
    /// }
    /// # async fn may_enter(token: Option<&[u8]>) -> bool { token.is_some() }
    /// # let _ = open::<tokio::io::DuplexStream>;
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`accept`](Builder::accept). If the client has left, [`Error::NotOpened`] or
    /// [`Error::Io`].
    pub async fn accept_with_async<S>(
        &self,
        stream: S,
        decide: impl AsyncFnOnce(&Received) -> Decision,
    ) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut ws = WebSocket::new(stream, Endpoint::server(&self.options));
        let mut first = ws.next().await.map(drop);
        if let Some(received) = ws.endpoint.request().map(|request| Received::new(&request)) {
            let decision = {
                let mut decision = pin!(decide(&received));
                let mut given_up = pin!(ws.undecided());
                poll_fn(|cx| {
        self.check()?;
                    if let Poll::Ready(decision) = decision.as_mut().poll(cx) {
                        return Poll::Ready(Ok(decision));
                    }
                    given_up.as_mut().poll(cx).map(Err)
                })
                .await
            };
            match (decision, ws.endpoint.request()) {
                (Ok(Decision::Accept), Some(request)) => self.answer(request)?,
                (Ok(Decision::Reject(status)), Some(request)) => {
                    request.reject(status, &[], b"")?
                }
                (Err(error @ Err(_)), _) => first = error,
                _ => {}
            }
        }
        ws.opened(first).await
    }

    fn subprotocols(&self) -> Vec<&str> {
        self.subprotocols.iter().map(String::as_str).collect()
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// How a server answers a request: see [`Builder::accept_with_async`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// Accepts, with the subprotocols and headers of the [`Builder`].
    Accept,
    /// Refuses with an HTTP status between 200 and 599.
    Reject(u16),
}

/// A copy of a client's request, for a decision that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    path: String,
    query: Option<String>,
    host: String,
    origin: Option<String>,
    same_origin: bool,
    subprotocols: Vec<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Received {
    fn new(request: &Waiting<'_>) -> Self {
        Received {
            path: request.resource().path().to_owned(),
            query: request.resource().query().map(str::to_owned),
            host: request.host().to_owned(),
            origin: request.origin().map(str::to_owned),
            same_origin: request.is_same_origin(),
            subprotocols: request.subprotocols().map(str::to_owned).collect(),
            headers: request
                .headers()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// Returns the path, such as `/chat`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the query without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Returns the host and the port as the client has named them.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the origin of the page that asks; programs that are no browsers have none.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Whether the origin is the host that was asked: see
    /// [`Request::is_same_origin`](crate::websocket_proto::handshake::Request::is_same_origin).
    #[must_use]
    pub fn is_same_origin(&self) -> bool {
        self.same_origin
    }

    /// Returns the subprotocols that the client offers.
    #[must_use]
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Returns the value of the first header line with this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }
}

/// The certificates that the operating system trusts, which are read once.
#[cfg(feature = "tls")]
fn system_roots() -> io::Result<Arc<rustls::ClientConfig>> {
    static CONFIG: std::sync::Mutex<Option<Arc<rustls::ClientConfig>>> =
        std::sync::Mutex::new(None);
    let mut cached = CONFIG.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(config) = &*cached {
        return Ok(Arc::clone(config));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    if roots.add_parsable_certificates(found.certs).0 == 0 {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(io::Error::other(format!("no trusted certificates: {}", errors.join(", "))));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(cached.insert(Arc::new(config))))
}

/// What [`connect`] runs over: TCP, or TLS over it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// For `ws`.
    Plain(TcpStream),
    /// For `wss`.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Returns the socket, for its addresses and options.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Transport::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.get_ref().0,
        }
    }
}

macro_rules! forward {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_shutdown(cx))
    }
}

impl<S, R: Role> WebSocket<S, R> {
    /// Returns the stream, for addresses and certificates. Do not read or write it.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}
