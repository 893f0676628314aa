//! Plain requests, written and read by hand, so that every byte is the test's own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Takes any certificate and remembers it, as a person does who clicks the warning away.
#[derive(Debug, Default)]
pub(crate) struct Anything(Mutex<Vec<u8>>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap() = certificate.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A client's side of TLS that takes any certificate.
pub(crate) fn trusting(verifier: Arc<Anything>) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth()
}

/// A TLS connection and the certificate that was shown.
pub(crate) async fn tls_with_certificate(address: SocketAddr) -> (TlsStream<TcpStream>, Vec<u8>) {
    let verifier = Arc::new(Anything::default());
    let config = trusting(Arc::clone(&verifier));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(address.ip());
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let certificate = verifier.0.lock().unwrap().clone();
    (stream, certificate)
}

pub(crate) async fn tls(address: SocketAddr) -> TlsStream<TcpStream> {
    tls_with_certificate(address).await.0
}

pub(crate) struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head,
            body: bytes[end + 4..].to_vec(),
        }
    }
}

async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> Response {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A connection that ends without TLS's close_notify still brought its answer.
    let _ = stream.read_to_end(&mut bytes).await;
    Response::parse(&bytes)
}

fn text(path: &str, host: &str, headers: &[(&str, &str)]) -> String {
    let extra: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{extra}\r\n")
}

/// `GET` over TLS, with further headers. A `Host` among them replaces the usual one.
pub(crate) async fn request(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    let own = address.to_string();
    let host = headers
        .iter()
        .find(|(name, _)| *name == "Host")
        .map_or(own.as_str(), |(_, h)| h);
    let others: Vec<_> = headers
        .iter()
        .filter(|(name, _)| *name != "Host")
        .copied()
        .collect();
    exchange(&mut tls(address).await, &text(path, host, &others)).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Response {
    request(address, path, &[]).await
}

/// `POST` of a form over TLS.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    form: &str,
) -> Response {
    let length = form.len().to_string();
    let mut all = headers.to_vec();
    all.push(("Content-Length", &length));
    all.push(("Content-Type", "application/x-www-form-urlencoded"));
    let head = text(path, &address.to_string(), &all).replacen("GET", "POST", 1);
    exchange(&mut tls(address).await, &format!("{head}{form}")).await
}

/// `GET` over plain HTTP.
pub(crate) async fn plain(address: SocketAddr, path: &str, host: &str) -> Response {
    let mut stream = TcpStream::connect(address).await.unwrap();
    exchange(&mut stream, &text(path, host, &[])).await
}
