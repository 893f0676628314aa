//! What `turn::client` sends and receives through: datagrams of UDP, or messages on a stream.
//!
//! Only messages that can be read reach the client, which is not made for servers that send anything else.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use callbox_turn::channel_data::{self, is_channel_data};
use callbox_turn::framing::{self, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UdpSocket;
use tokio::sync::{Mutex, watch};
use webrtc_util::{Conn, Error};

use super::super::fault::Fault;
use super::connect::Stream;
use super::readable::is_readable;

const CHUNK: usize = 4096;

/// A way to one TURN server.
pub(super) struct Link<S> {
    socket: Socket<S>,
    server: SocketAddr,
    local: SocketAddr,
    /// Why nothing comes any more.
    fault: watch::Sender<Option<Fault>>,
    heard_nonsense: AtomicBool,
}

enum Socket<S> {
    Datagrams(UdpSocket),
    Stream {
        reader: Mutex<Reader<S>>,
        writer: Mutex<WriteHalf<S>>,
    },
}

struct Reader<S> {
    half: ReadHalf<S>,
    /// What has come and was not given out.
    bytes: Vec<u8>,
}

impl<S: Stream> Link<S> {
    /// # Errors
    /// When the socket has no address.
    pub(super) fn datagrams(socket: UdpSocket, server: SocketAddr) -> io::Result<Self> {
        let local = socket.local_addr()?;
        Ok(Self::new(Socket::Datagrams(socket), server, local))
    }

    pub(super) fn stream(stream: S, server: SocketAddr, local: SocketAddr) -> Self {
        let (half, writer) = tokio::io::split(stream);
        let reader = Reader {
            half,
            bytes: Vec::new(),
        };
        let socket = Socket::Stream {
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
        };
        Self::new(socket, server, local)
    }

    fn new(socket: Socket<S>, server: SocketAddr, local: SocketAddr) -> Self {
        Self {
            socket,
            server,
            local,
            fault: watch::Sender::new(None),
            heard_nonsense: AtomicBool::new(false),
        }
    }

    /// Waits until nothing can come any more, and says why.
    pub(super) async fn broken(&self) -> Fault {
        let mut faults = self.fault.subscribe();
        match faults.wait_for(Option::is_some).await {
            Ok(fault) => fault.clone().unwrap_or(Fault::Closed),
            Err(_) => Fault::Closed,
        }
    }

    /// Why nothing comes any more, if that is known.
    pub(super) fn known_fault(&self) -> Option<Fault> {
        self.fault.borrow().clone()
    }

    /// Has a datagram come that is no message of TURN? It may be anybody's, so it ends nothing.
    pub(super) fn heard_nonsense(&self) -> bool {
        self.heard_nonsense.load(Ordering::Relaxed)
    }

    async fn receive(&self, buffer: &mut [u8]) -> Result<usize, Fault> {
        match &self.socket {
            Socket::Datagrams(socket) => loop {
                let length = socket.recv(buffer).await?;
                if buffer.get(..length).is_some_and(is_message) {
                    return Ok(length);
                }
                self.heard_nonsense.store(true, Ordering::Relaxed);
            },
            Socket::Stream { reader, .. } => reader.lock().await.next(buffer).await,
        }
    }

    async fn transmit(&self, message: &[u8]) -> Result<(), Fault> {
        match &self.socket {
            Socket::Datagrams(socket) => drop(socket.send(message).await?),
            Socket::Stream { writer, .. } => {
                // The client pads channel data itself.
                let mut writer = writer.lock().await;
                writer.write_all(message).await?;
                writer.flush().await?;
            }
        }
        Ok(())
    }

    fn fail(&self, fault: Fault) -> Error {
        let error = Error::Other(fault.to_string());
        self.fault.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(fault);
            is_first
        });
        error
    }
}

impl<S: Stream> Reader<S> {
    /// The next message that can be read.
    async fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            match framing::next(&self.bytes) {
                Frame::Whole { length, taken } => {
                    let rest = self.bytes.split_off(taken);
                    let message = std::mem::replace(&mut self.bytes, rest);
                    let Some(message) = message.get(..length).filter(|bytes| is_message(bytes))
                    else {
                        return Err(Fault::Foreign);
                    };
                    buffer
                        .get_mut(..length)
                        .ok_or(Fault::Foreign)?
                        .copy_from_slice(message);
                    return Ok(length);
                }
                Frame::Partial => self.fill().await?,
                Frame::Broken => return Err(Fault::Foreign),
            }
        }
    }

    /// A message has a bound, and so has what waits for its end.
    async fn fill(&mut self) -> Result<(), Fault> {
        let mut chunk = [0; CHUNK];
        match self.half.read(&mut chunk).await? {
            0 => Err(Fault::Closed),
            length => {
                self.bytes.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }
}

/// One whole message of STUN or of a channel.
fn is_message(bytes: &[u8]) -> bool {
    if bytes.first().copied().is_some_and(is_channel_data) {
        return channel_data::parse(bytes).is_some();
    }
    let is_whole =
        matches!(framing::next(bytes), Frame::Whole { length, .. } if length == bytes.len());
    is_whole && is_readable(bytes)
}

#[async_trait]
impl<S: Stream + 'static> Conn for Link<S> {
    async fn connect(&self, _: SocketAddr) -> Result<(), Error> {
        Ok(())
    }

    async fn recv(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.receive(buffer).await.map_err(|fault| self.fail(fault))
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        Ok((self.recv(buffer).await?, self.server))
    }

    async fn send(&self, message: &[u8]) -> Result<usize, Error> {
        match self.transmit(message).await {
            Ok(()) => Ok(message.len()),
            Err(fault) => Err(self.fail(fault)),
        }
    }

    async fn send_to(&self, message: &[u8], _: SocketAddr) -> Result<usize, Error> {
        self.send(message).await
    }

    fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.local)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        Some(self.server)
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
