//! A client's way to the server: a UDP socket, or a stream that is cut into messages.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::support::PATIENCE;
use crate::support::http::trusting;
use crate::wire::{HEADER, Message, u16_at};

/// What a client speaks over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Udp,
    Tcp,
    Tls,
    /// Plain TCP on the port of the pages.
    FrontTcp,
    /// TLS on the port of the pages.
    FrontTls,
}

impl Via {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "udp" => Self::Udp,
            "tcp" => Self::Tcp,
            "tls" => Self::Tls,
            "front_tcp" => Self::FrontTcp,
            "front_tls" => Self::FrontTls,
            other => panic!("no transport is called {other}"),
        }
    }
}

/// One message of the server.
#[derive(Debug)]
pub(crate) enum Frame {
    Message(Message),
    ChannelData { number: u16, data: Vec<u8> },
}

#[derive(Debug)]
pub(crate) enum Received {
    Frame(Frame),
    /// The server has closed the stream.
    Closed,
    /// Nothing came in time.
    Nothing,
}

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

pub(crate) enum Link {
    Udp(UdpSocket),
    Stream {
        stream: Box<dyn Stream>,
        /// The TCP connection beneath.
        socket: TcpStream,
        buffer: Vec<u8>,
    },
}

impl Link {
    pub(crate) fn open(via: Via, server: SocketAddr) -> Self {
        let any: IpAddr = if server.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        Self::open_from(via, any, server)
    }

    /// From this address of the client's machine.
    pub(crate) fn open_from(via: Via, source: IpAddr, server: SocketAddr) -> Self {
        match via {
            Via::Udp => {
                let socket = UdpSocket::bind((source, 0)).unwrap();
                // Answers have to come from where the request went.
                socket.connect(server).unwrap();
                Self::Udp(socket)
            }
            Via::Tcp | Via::FrontTcp => {
                let socket = connect(source, server);
                let stream = Box::new(socket.try_clone().unwrap());
                Self::over(stream, socket)
            }
            Via::Tls | Via::FrontTls => Self::tls_over(connect(source, server), server, &[]).0,
        }
    }

    /// TLS, offering these protocols; also gives the one that the server chose.
    pub(crate) fn over_tls(server: SocketAddr, alpn: &[&str]) -> (Self, Option<Vec<u8>>) {
        Self::tls_over(connect(Ipv4Addr::UNSPECIFIED.into(), server), server, alpn)
    }

    fn tls_over(
        mut socket: TcpStream,
        server: SocketAddr,
        alpn: &[&str],
    ) -> (Self, Option<Vec<u8>>) {
        let mut config = trusting(Arc::default());
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::from(server.ip());
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).expect("a TLS handshake");
        }
        let chosen = session.alpn_protocol().map(<[u8]>::to_vec);
        let below = socket.try_clone().unwrap();
        let stream = Box::new(StreamOwned::new(session, socket));
        (Self::over(stream, below), chosen)
    }

    fn over(stream: Box<dyn Stream>, socket: TcpStream) -> Self {
        Self::Stream {
            stream,
            socket,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr().unwrap(),
            Self::Stream { socket, .. } => socket.local_addr().unwrap(),
        }
    }

    /// Sends these bytes as one datagram, or appends them to the stream as one record or segment.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(bytes).map(|_| ()),
            Self::Stream { stream, .. } => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    pub(crate) fn receive(&mut self, patience: Duration) -> Received {
        let deadline = Instant::now() + patience;
        match self {
            Self::Udp(socket) => receive_datagram(socket, deadline),
            Self::Stream {
                stream,
                socket,
                buffer,
            } => receive_frame(stream, socket, buffer, deadline),
        }
    }
}

fn connect(source: IpAddr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Time left for a read; sockets take no zero.
fn left(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_micros(1))
}

fn receive_datagram(socket: &UdpSocket, deadline: Instant) -> Received {
    let mut bytes = vec![0; 1 << 16];
    loop {
        socket.set_read_timeout(Some(left(deadline))).unwrap();
        match socket.recv(&mut bytes) {
            Ok(length) => return Received::Frame(datagram(&bytes[..length])),
            Err(error) if is_timeout(&error) => return Received::Nothing,
            // What ICMP said about an earlier packet; a signal to the process.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::Interrupted
                ) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn datagram(bytes: &[u8]) -> Frame {
    if bytes[0] < 0x40 {
        return Frame::Message(Message::parse(bytes));
    }
    let length = usize::from(u16_at(bytes, 2));
    assert!(
        (4 + length..4 + length.next_multiple_of(4) + 1).contains(&bytes.len()),
        "a datagram of {} bytes with ChannelData of {length}",
        bytes.len()
    );
    channel_frame(bytes, length)
}

fn channel_frame(bytes: &[u8], length: usize) -> Frame {
    let number = u16_at(bytes, 0);
    assert!((0x4000..0x5000).contains(&number), "channel {number:#x}");
    Frame::ChannelData {
        number,
        data: bytes[4..4 + length].to_vec(),
    }
}

fn receive_frame(
    stream: &mut dyn Stream,
    socket: &TcpStream,
    buffer: &mut Vec<u8>,
    deadline: Instant,
) -> Received {
    let mut chunk = [0; 4096];
    loop {
        if let Some(frame) = take_frame(buffer) {
            return Received::Frame(frame);
        }
        socket.set_read_timeout(Some(left(deadline))).unwrap();
        match stream.read(&mut chunk) {
            Ok(0) => return Received::Closed,
            Ok(length) => buffer.extend(&chunk[..length]),
            Err(error) if is_timeout(&error) => return Received::Nothing,
            Err(error) if is_end(error.kind()) => return Received::Closed,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Takes the first message off the buffer, with the padding that streams have (RFC 8656 §12.5).
fn take_frame(buffer: &mut Vec<u8>) -> Option<Frame> {
    if buffer.len() < 4 {
        return None;
    }
    let length = usize::from(u16_at(buffer, 2));
    let is_message = buffer[0] < 0x40;
    let whole = if is_message {
        HEADER + length
    } else {
        4 + length.next_multiple_of(4)
    };
    if buffer.len() < whole {
        return None;
    }
    let bytes: Vec<u8> = buffer.drain(..whole).collect();
    Some(if is_message {
        Frame::Message(Message::parse(&bytes))
    } else {
        channel_frame(&bytes, length)
    })
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// How a stream ends that the other side closed, with or without TLS's farewell.
fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}
