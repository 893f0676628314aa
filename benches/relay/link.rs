//! A client's connection to the server: UDP, TCP or TLS, never waiting.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use socket2::SockRef;

use crate::stun::framed_length;
use crate::sys::Batch;

/// What a client's socket holds while the generator is busy with others.
const RECEIVE_BUFFER: usize = 1 << 20;
/// How much of a stream is read at once.
const CHUNK: usize = 32 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) enum Link {
    Udp(UdpSocket),
    Tcp(Stream),
    Tls(Stream, Box<ClientConnection>),
}

impl Link {
    pub(crate) fn udp(server: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        Ok(Self::Udp(socket))
    }

    pub(crate) fn tcp(server: SocketAddr) -> io::Result<Self> {
        let stream = Stream::connect(server)?;
        stream.socket.set_nonblocking(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(crate) fn tls(server: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut stream = Stream::connect(server)?;
        let name = ServerName::IpAddress(server.ip().into());
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        tls.complete_io(&mut stream.socket)?;
        stream.socket.set_nonblocking(true)?;
        Ok(Self::Tls(stream, Box::new(tls)))
    }

    /// Sends one packet; `false` when the connection is full and the packet was dropped, as a media program does.
    pub(crate) fn send(&mut self, packet: &[u8]) -> bool {
        match self {
            Self::Udp(socket) => socket.send(packet).is_ok(),
            Self::Tcp(stream) => stream.send(packet),
            Self::Tls(stream, tls) => {
                let taken =
                    flush(tls, &mut stream.socket) && tls.writer().write_all(packet).is_ok();
                flush(tls, &mut stream.socket);
                taken
            }
        }
    }

    /// Gives the packets that have arrived to `take`.
    pub(crate) fn receive(&mut self, batch: &mut Batch, take: &mut impl FnMut(&[u8])) {
        match self {
            Self::Udp(socket) => {
                let all = batch.slots();
                let filled = batch.receive(socket, 0..all);
                for slot in 0..filled {
                    take(batch.packet(slot));
                }
            }
            Self::Tcp(stream) => {
                while stream.read() == CHUNK {}
                stream.deframe(take);
            }
            Self::Tls(stream, tls) => {
                while tls.read_tls(&mut stream.socket).is_ok_and(|read| read > 0) {
                    if tls.process_new_packets().is_err() {
                        return;
                    }
                    stream.take_plaintext(tls);
                }
                stream.deframe(take);
            }
        }
    }
}

/// Writes what TLS holds; is all of it gone?
fn flush(tls: &mut ClientConnection, socket: &mut TcpStream) -> bool {
    while tls.wants_write() {
        if tls.write_tls(socket).is_err() {
            return false;
        }
    }
    true
}

/// A TCP connection with what of a packet is still to be read or written.
pub(crate) struct Stream {
    socket: TcpStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    chunk: Box<[u8]>,
}

impl Stream {
    fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&server, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            chunk: vec![0; CHUNK].into_boxed_slice(),
        })
    }

    fn send(&mut self, packet: &[u8]) -> bool {
        if !self.outgoing.is_empty() {
            let written = written(self.socket.write(&self.outgoing));
            self.outgoing.drain(..written);
            if !self.outgoing.is_empty() {
                return false;
            }
        }
        let written = written(self.socket.write(packet));
        if written > 0 {
            self.outgoing.extend(&packet[written..]);
        }
        written > 0
    }

    fn read(&mut self) -> usize {
        let read = written(self.socket.read(&mut self.chunk));
        self.incoming.extend(&self.chunk[..read]);
        read
    }

    fn take_plaintext(&mut self, tls: &mut ClientConnection) {
        while let Ok(read @ 1..) = tls.reader().read(&mut self.chunk) {
            self.incoming.extend(&self.chunk[..read]);
        }
    }

    fn deframe(&mut self, take: &mut impl FnMut(&[u8])) {
        let mut at = 0;
        while let Some(length) = framed_length(&self.incoming[at..]) {
            let Some(packet) = self.incoming.get(at..at + length) else {
                break;
            };
            take(packet);
            at += length;
        }
        self.incoming.drain(..at);
    }
}

/// The number of bytes moved; a socket that is not ready, or broken, moves none.
fn written(result: io::Result<usize>) -> usize {
    result.unwrap_or(0)
}

/// TLS that takes every certificate: what is measured is the work, not the trust.
pub(crate) fn tls_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(ring_provider::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
