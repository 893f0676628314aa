//! The files that nginx serves: the bytes that callbox sends for them, so that both send the same.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;

use crate::rows::FILES;
use crate::tls;

/// One connection over which files are fetched.
pub(crate) struct Fetcher {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

impl Fetcher {
    pub(crate) async fn connect(connector: &TlsConnector, to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TokioIo::new(tls::connect(connector, to).await?);
        let (sender, connection) = handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: format!("localhost:{}", to.port()),
        })
    }

    pub(crate) async fn get(
        &mut self,
        path: &str,
        coding: &str,
    ) -> anyhow::Result<(HeaderMap, Bytes)> {
        let request = Request::get(path)
            .header(HOST, &self.host)
            .header(ACCEPT_ENCODING, coding)
            .body(Empty::new())?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        ensure!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        let (head, body) = response.into_parts();
        Ok((head.headers, body.collect().await?.to_bytes()))
    }
}

/// Fetches the files from a callbox into `root`, with a `.br` and a `.gz` beside each. Says which headers they came with.
pub(crate) async fn copy(
    connector: &TlsConnector,
    callbox: SocketAddr,
    root: &Path,
) -> anyhow::Result<HeaderMap> {
    let mut fetcher = Fetcher::connect(connector, callbox).await?;
    let mut seen = HeaderMap::new();
    for file in FILES {
        let path = format!("/{file}");
        let (headers, plain) = fetcher.get(&path, "identity").await?;
        fs::write(root.join(file), plain)?;
        seen = headers;
        let (headers, packed) = fetcher.get(&path, "br").await?;
        ensure!(
            headers
                .get(CONTENT_ENCODING)
                .is_some_and(|coding| coding == "br")
        );
        fs::write(root.join(format!("{file}.br")), packed)?;
        let gzip = Command::new("gzip")
            .args(["-9", "--keep", "--no-name"])
            .arg(root.join(file))
            .status();
        ensure!(gzip.context("gzip")?.success(), "gzip failed");
    }
    Ok(seen)
}
