//! The ways in: a client by URL, a client or a server over a stream.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
#[cfg(feature = "tls")]
use std::{fmt, path::Path, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
#[cfg(feature = "tls")]
use tokio::{sync::OnceCell, task::spawn_blocking};
#[cfg(feature = "tls")]
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
#[cfg(feature = "tls")]
use tokio_rustls::{TlsConnector, client::TlsStream, rustls, server};
use websocket_proto::{Role, handshake::ClientRequest};

use crate::{
    AcceptOptions, Client, Compression, Endpoint, Error, HeadError, Offer, Options, Server,
    SystemMask, Target, Waiting, WebSocket,
};

/// How long the addresses that were tried may take until the next is tried beside them (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

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
/// Each way in validates the settings before it dials or reads: [`Error::Head`] says which header,
/// subprotocol or origin is not valid.
///
/// ```
/// use websocket_proto_tokio::Builder;
///
/// let builder = Builder::new().subprotocol("chat.v2").subprotocol("chat.v1");
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
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

    /// Sets how messages are compressed (RFC 7692); not at all unless set. With the feature
    /// `deflate`, `compress` is what most programs need.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Builder { options: self.options.compression(compression), ..self }
    }

    /// Compresses messages by zlib where the peer agrees, with codecs that all connections of this
    /// builder and of its clones share, so that an idle connection has none (RFC 7692).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compress(self) -> Self {
        self.compression(Compression::shared(crate::ZlibStock::new(6)))
    }

    /// Sets how long a client may take to look up the host, to connect over TCP and to make the
    /// handshake of TLS; 10 s unless set. The opening handshake has a limit of its own in the [`Options`].
    #[must_use]
    pub fn connect_limit(self, limit: Duration) -> Self {
        Builder { limit, ..self }
    }

    /// Sets the configuration of TLS for `wss`; unless set, the certificates that the operating
    /// system trusts, which the environment variable `SSL_CERT_FILE` replaces. They are read once for
    /// all connections of the program, by the first.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, config: Arc<rustls::ClientConfig>) -> Self {
        Builder { tls: Some(config), ..self }
    }

    /// Connects to a `ws`, `wss`, `http` or `https` URL over TCP, with TCP_NODELAY, and makes the
    /// opening handshake. `wss` and `https` need the feature `tls`.
    ///
    /// The addresses of the host are tried in the order of the resolver. The next one is tried when
    /// one has failed, and after 250 ms beside those that have not answered (RFC 8305 §5), so that an
    /// address without a route does not take up the [limit](Builder::connect_limit).
    ///
    /// # Errors
    ///
    /// [`Error::Url`] and [`Error::Head`] before anything is dialled; [`Error::Io`] for TCP;
    /// [`Error::Tls`], also without the feature; otherwise as for [`client`](Builder::client).
    pub async fn connect(
        &self,
        url: &str,
    ) -> Result<WebSocket<Transport, Client<SystemMask>>, Error> {
        self.check()?;
        let target = Target::parse(url)?;
        let stream = timeout(self.limit, self.dial(&target)).await??;
        self.open(stream, &target).await
    }

    async fn dial(&self, target: &Target<'_>) -> Result<Transport, Error> {
        if target.secure() {
            return self.dial_tls(target).await;
        }
        Ok(Transport::Plain(dial_tcp(target).await?))
    }

    #[cfg(feature = "tls")]
    async fn dial_tls(&self, target: &Target<'_>) -> Result<Transport, Error> {
        let invalid = |error| Error::Tls(io::Error::other(error));
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => system_config().await.map_err(Error::Tls)?,
        };
        let host = target.host().to_owned();
        let name = rustls::pki_types::ServerName::try_from(host).map_err(invalid)?;
        let stream = dial_tcp(target).await?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(Error::Tls)?;
        Ok(Transport::Tls(Box::new(stream)))
    }

    #[cfg(not(feature = "tls"))]
    async fn dial_tls(&self, _: &Target<'_>) -> Result<Transport, Error> {
        Err(Error::Tls(io::Error::other("the feature `tls` is off")))
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

    /// Makes the opening handshake of a server, and accepts clients of every origin and resource. A
    /// server that trusts cookies has to check the origin: see
    /// [`accept_with_async`](Builder::accept_with_async).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::accept`]; [`Error::Head`] if the settings are not valid.
    pub async fn accept<S>(&self, stream: S) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.check()?;
        let mut chosen = None;
        let decide = |request: Waiting<'_>| self.answer(request).map(|name| chosen = name);
        let mut ws = WebSocket::accept_with(stream, &self.options, decide).await?;
        ws.subprotocol = chosen;
        Ok(ws)
    }

    fn answer(&self, request: Waiting<'_>) -> Result<Option<Box<str>>, HeadError> {
        let headers = self.headers();
        let mut accept = AcceptOptions::new().headers(&headers);
        let chosen = request.choose_subprotocol(&self.subprotocols());
        if let Some(name) = chosen {
            accept = accept.subprotocol(name);
        }
        request.accept(&accept)?;
        Ok(chosen.map(Box::from))
    }

    /// Makes the opening handshake of a server. `decide` may await something before it answers. Its
    /// future is dropped at the end of [`Limit::Decision`](crate::Limit::Decision), and as soon as the
    /// client leaves: the client ended its side, or the stream failed.
    ///
    /// If a client sends data before the answer, against §4.1, the data is received after the answer.
    /// That such a client has left may be noticed only then.
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
        self.check()?;
        let mut ws = WebSocket::new(stream, Endpoint::server(&self.options));
        let mut first = ws.next().await.map(drop);
        if let Some(received) = ws.endpoint.request().map(|request| Received::new(&request)) {
            let decision = {
                let mut decision = pin!(decide(&received));
                let mut given_up = pin!(ws.undecided());
                poll_fn(|cx| {
                    if let Poll::Ready(decision) = decision.as_mut().poll(cx) {
                        return Poll::Ready(Ok(decision));
                    }
                    given_up.as_mut().poll(cx).map(Err)
                })
                .await
            };
            match (decision, ws.endpoint.request()) {
                (Ok(Decision::Accept), Some(request)) => ws.subprotocol = self.answer(request)?,
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

/// Connects to the first address of a host that answers.
async fn dial_tcp(target: &Target<'_>) -> io::Result<TcpStream> {
    let addresses = lookup_host((target.host(), target.port())).await?;
    let stream = first_of(addresses.map(TcpStream::connect)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns the result of the first attempt that succeeds, and drops the others. If none does, this
/// is the last error. The next attempt begins when one has failed, or beside those that are slow.
async fn first_of<T, F>(attempts: impl IntoIterator<Item = F>) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut attempts = attempts.into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    let mut failed = io::Error::other("the host has no address");
    loop {
        running.extend(attempts.next().map(Box::pin));
        if running.is_empty() {
            return Err(failed);
        }
        let ended = poll_fn(|cx| {
            for (at, attempt) in running.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready((at, result));
                }
            }
            Poll::Pending
        });
        let ended = timeout(ATTEMPT_DELAY, ended).await;
        match ended {
            // Those that run are slow.
            Err(_) => {}
            Ok((_, Ok(stream))) => return Ok(stream),
            Ok((at, Err(error))) => {
                running.remove(at);
                failed = error;
            }
        }
    }
}

/// Returns the configuration with the certificates that the operating system trusts. They are read
/// once, by a thread that may block.
#[cfg(feature = "tls")]
async fn system_config() -> io::Result<Arc<rustls::ClientConfig>> {
    static CONFIG: OnceCell<Arc<rustls::ClientConfig>> = OnceCell::const_new();
    let read = async || spawn_blocking(read_system_config).await.map_err(io::Error::other)?;
    CONFIG.get_or_try_init(read).await.cloned()
}

#[cfg(feature = "tls")]
fn read_system_config() -> io::Result<Arc<rustls::ClientConfig>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    if roots.add_parsable_certificates(found.certs).0 == 0 {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(io::Error::other(format!("no trusted certificates: {}", errors.join(", "))));
    }
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The cryptography of TLS, whatever other crates of the program use.
#[cfg(feature = "tls")]
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Makes the handshake of TLS on the streams that a server accepts, each within a time limit.
///
/// ```no_run
/// use tokio::net::TcpListener;
/// use websocket_proto_tokio::{Builder, Error, TlsAcceptor};
///
/// # async fn run() -> Result<(), Error> {
/// let tls = TlsAcceptor::from_pem_files("cert.pem", "key.pem")?;
/// let (stream, _) = TcpListener::bind("0.0.0.0:443").await?.accept().await?;
/// let mut ws = Builder::new().accept(tls.accept(stream).await?).await?;
/// ws.send("hello").await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "tls")]
#[derive(Clone)]
pub struct TlsAcceptor {
    acceptor: tokio_rustls::TlsAcceptor,
    limit: Duration,
}

#[cfg(feature = "tls")]
impl TlsAcceptor {
    /// Creates an acceptor with a configuration of rustls, and a limit of 10 s. [`Builder::accept`]
    /// speaks HTTP/1.1, so the configuration must offer no other protocol by ALPN, unless another
    /// library reads the stream.
    #[must_use]
    pub fn new(config: Arc<rustls::ServerConfig>) -> Self {
        TlsAcceptor { acceptor: config.into(), limit: Duration::from_secs(10) }
    }

    /// Creates an acceptor from two PEM files: the certificate chain, the server's own certificate
    /// first, and the private key.
    ///
    /// The files are read at once, so call this before the server listens.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] if a file cannot be read, or if the key is not that of the certificate.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        let named = |path: &Path, error: &dyn fmt::Display| {
            Error::Tls(io::Error::other(format!("{}: {error}", path.display())))
        };
        let chain = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(|error| named(certificates, &error))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| named(key, &error))?;
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map(|config| config.with_no_client_auth())
            .and_then(|config| config.with_single_cert(chain, private))
            .map_err(|error| named(certificates, &error))?;
        Ok(TlsAcceptor::new(Arc::new(config)))
    }

    /// Sets how long a handshake of TLS may take; 10 s unless set.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        TlsAcceptor { limit, ..self }
    }

    /// Makes the handshake of TLS on a stream that a listener has accepted.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] if the handshake fails, or takes longer than its [limit](TlsAcceptor::limit).
    pub async fn accept<S>(&self, stream: S) -> Result<server::TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = timeout(self.limit, self.acceptor.accept(stream)).await;
        accepted.map_err(io::Error::from).flatten().map_err(Error::Tls)
    }
}

#[cfg(feature = "tls")]
impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("limit", &self.limit).finish_non_exhaustive()
    }
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::{future::pending, io, time::Duration};

    use tokio::time::{Instant, sleep};

    use super::{ATTEMPT_DELAY, first_of};

    type Attempt = Pin<Box<dyn Future<Output = io::Result<&'static str>>>>;

    fn fails() -> Attempt {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn hangs() -> Attempt {
        Box::pin(pending())
    }

    fn connects(name: &'static str, after: Duration) -> Attempt {
        Box::pin(async move {
            sleep(after).await;
            Ok(name)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_delays_the_next_a_little() {
        let begin = Instant::now();
        let found = first_of([hangs(), hangs(), connects("third", Duration::ZERO)]).await;
        assert_eq!((found.unwrap(), begin.elapsed()), ("third", 2 * ATTEMPT_DELAY));
        // Slow is not failed: the first still wins if it answers first.
        let slow = connects("first", ATTEMPT_DELAY * 2);
        let found = first_of([slow, connects("second", ATTEMPT_DELAY * 2)]).await;
        assert_eq!(found.unwrap(), "first");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_fails_does_not_delay_the_next() {
        let begin = Instant::now();
        let found = first_of([fails(), fails(), connects("third", Duration::ZERO)]).await;
        assert_eq!((found.unwrap(), begin.elapsed()), ("third", Duration::ZERO));
        let error = first_of([fails(), fails()]).await.unwrap_err();
        assert_eq!(
            (error.kind(), begin.elapsed()),
            (io::ErrorKind::ConnectionRefused, Duration::ZERO)
        );
        assert!(first_of([(); 0].map(|()| hangs())).await.is_err());
    }
}
