//! The listening socket under webrtc-rs's server, and what both kinds of its sockets share.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UdpSocket;
use webrtc_util::Conn;

use super::credentials::Authority;

pub type ConnResult<T> = Result<T, webrtc_util::Error>;

pub const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// A listener that never ends: webrtc-rs's server stops for good at the first error of a read.
pub struct ListenerConn {
    socket: UdpSocket,
    authority: Arc<Authority>,
}

impl ListenerConn {
    pub fn new(socket: std::net::UdpSocket, authority: Arc<Authority>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        Ok(Self { socket, authority })
    }
}

#[async_trait]
impl Conn for ListenerConn {
    async fn connect(&self, _: SocketAddr) -> ConnResult<()> {
        unconnected()
    }

    async fn recv(&self, _: &mut [u8]) -> ConnResult<usize> {
        unconnected()
    }

    async fn recv_from(&self, buf: &mut [u8]) -> ConnResult<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buf).await {
                Ok(received) => return Ok(received),
                Err(_) => tokio::time::sleep(PAUSE_AFTER_ERROR).await,
            }
        }
    }

    async fn send(&self, _: &[u8]) -> ConnResult<usize> {
        unconnected()
    }

    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> ConnResult<usize> {
        if let Some(success) = answer_class(buf) {
            self.authority.answered(target, success);
        }
        Ok(self.socket.send_to(buf, target).await?)
    }

    fn local_addr(&self) -> ConnResult<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    async fn close(&self) -> ConnResult<()> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// Is this a STUN answer, and one of success? Bits 4 and 8 of the message type are its class (RFC 8489 §5).
fn answer_class(message: &[u8]) -> Option<bool> {
    match message.first_chunk()? {
        [high, low] if high & 0xc1 == 0x01 => Some(low & 0x10 == 0),
        _ => None,
    }
}

/// What webrtc-rs's server never asks of its sockets.
pub fn unconnected<T>() -> ConnResult<T> {
    Err(io::Error::from(io::ErrorKind::NotConnected).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_what_is_relayed() {
        assert_eq!(
            answer_class(&[0x01, 0x03, 0, 0]),
            Some(true),
            "Allocate success"
        );
        assert_eq!(
            answer_class(&[0x01, 0x13, 0, 0]),
            Some(false),
            "Allocate error"
        );
        assert_eq!(answer_class(&[0x00, 0x17, 0, 0]), None, "Data indication");
        assert_eq!(answer_class(&[0x40, 0x00, 0, 0]), None, "ChannelData");
        assert_eq!(answer_class(&[0x01]), None);
    }
}
