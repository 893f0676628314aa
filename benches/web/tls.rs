//! The certificate that all servers show, and clients that trust it alone.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Writes `cert.pem` and `key.pem`, P-256, and gives what connects to servers that use them.
pub(crate) fn make(dir: &Path) -> anyhow::Result<TlsConnector> {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    fs::write(dir.join("cert.pem"), pair.cert.pem())?;
    fs::write(dir.join("key.pem"), pair.signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

pub(crate) async fn connect(
    connector: &TlsConnector,
    to: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    connector.connect(name, stream).await
}
