//! WebSockets over HTTP/3 (RFC 9220), on quiche:
//!
//! - `h3 CERT KEY` has a client and a server talk over UDP on 127.0.0.1, checks what both say, and
//!   exits with 0 if all of it is right.
//! - `h3 server ADDR CERT KEY` is the server alone. A browser opens a WebSocket over HTTP/3 only on a
//!   connection that it already has, so `GET /echo` is answered with a page.
//! - `h3 client ADDR CERT` makes the same checks of a server that does what `server.rs` does.
//!
//! `cargo build --release --manifest-path examples/h3/Cargo.toml` builds it as
//! `examples/h3/target/release/h3`. This needs cmake, a C++ compiler and libclang.
//!
//! The server's name is `localhost`. This makes its certificate:
//!
//! ```text
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem
//! ```
//!
//! Beside `h3 server 127.0.0.1:4433 cert.pem key.pem`, Chromium is started with switches for HTTP/3
//! from the first request, for WebSockets over it, for trust in the key of `cert.pem`, and for a new
//! profile; as root also with `--no-sandbox`. The server listens on UDP only, so a page that has its
//! text echoed uses HTTP/3.
//!
//! ```text
//! chromium --origin-to-force-quic-on=127.0.0.1:4433 --enable-features=EnableWebsocketsOverHttp3 \
//!     --ignore-certificate-errors-spki-list="$(openssl x509 -in cert.pem -noout -pubkey \
//!     | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)" \
//!     --user-data-dir="$(mktemp -d)" https://127.0.0.1:4433/echo
//! ```
//!
//! A stream carries the bytes of one WebSocket, so a connection has as many WebSockets as it has
//! streams. `connection.rs` moves these bytes for either side. `server.rs` and `client.rs` own a
//! socket each, and make the opening handshake.

mod cases;
mod client;
mod connection;
mod server;

use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use connection::Error;

fn main() -> Result<ExitCode, Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server", address, certificate, key] => {
            let socket = UdpSocket::bind(address)?;
            println!("listening on https://{}/echo", socket.local_addr()?);
            server::serve(&socket, Path::new(certificate), Path::new(key), |ending| {
                println!("{ending}");
            })?;
            Ok(ExitCode::SUCCESS)
        }
        ["client", address, certificate] => cases::run(address.parse()?, Path::new(certificate)),
        [certificate, key] => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            let address = socket.local_addr()?;
            let (cert, key) = (certificate.to_owned(), key.to_owned());
            thread::spawn(move || {
                if let Err(error) =
                    server::serve(&socket, Path::new(&cert), Path::new(&key), |_| {})
                {
                    eprintln!("server: {error}");
                    std::process::exit(1);
                }
            });
            cases::run(address, Path::new(certificate))
        }
        _ => Err("usage: h3 CERT KEY | h3 server ADDR CERT KEY | h3 client ADDR CERT".into()),
    }
}
