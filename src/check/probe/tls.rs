//! TLS as a browser's user has it who goes past the warning: any certificate is taken and kept, to be judged apart.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, ring::default_provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::fault::Fault;
use super::connect::BoxedStream;

pub(crate) type Chain = Vec<CertificateDer<'static>>;

/// Leaf and intermediates that are kept; no chain of the web is as long.
const MAX_CHAIN: usize = 8;

/// Shakes hands; gives the connection and the chain that the server showed, its certificate first.
///
/// # Errors
/// Where no TLS comes about; has no deadline of its own.
pub(crate) async fn shake(
    stream: BoxedStream,
    name: ServerName<'static>,
    protocols: &[&[u8]],
) -> Result<(TlsStream<BoxedStream>, Chain), Fault> {
    let provider = Arc::new(default_provider());
    let witness = Arc::new(Witness {
        provider: Arc::clone(&provider),
        chain: Mutex::default(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let mut chain = witness.chain.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((stream, std::mem::take(&mut *chain)))
}

/// Sees that the server has the key of the certificate that it shows, and leaves what that is worth to others.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Chain>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(leaf).chain(intermediates);
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        *chain = shown
            .take(MAX_CHAIN)
            .map(|der| der.clone().into_owned())
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            leaf,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            leaf,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
