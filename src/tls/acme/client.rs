//! The connection to the certificate authority: HTTPS with bounds on time and size.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use axum::body::Bytes;
use axum::http::Request;
use http_body_util::Limited;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const MAX_ANSWER: usize = 1 << 20;

type Connector = HttpsConnector<HttpConnector>;

/// Speaks HTTPS to those whose certificate ends in a public root, or in one that the operator names.
pub(super) struct AuthorityClient(Client<Connector, BodyWrapper<Bytes>>);

impl AuthorityClient {
    /// # Errors
    /// When one of `roots` is not a certificate.
    pub(super) fn new(roots: &[CertificateDer<'static>]) -> anyhow::Result<Self> {
        let mut store = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in roots {
            store
                .add(root.clone())
                .context("it is not an authority's")?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

impl HttpClient for AuthorityClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let answer = self.0.request(request);
        Box::pin(async move {
            let response = tokio::time::timeout(ANSWER_WITHIN, answer)
                .await
                .map_err(|_| Error::Str("it does not answer"))?
                .map_err(|error| Error::Other(Box::new(error)))?;
            Ok(response.map(|body| Limited::new(body, MAX_ANSWER)).into())
        })
    }
}
