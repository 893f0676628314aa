//! Ports that systemd has opened already (socket activation, `sd_listen_fds(3)`): they stay open while this program is
//! exchanged for another version, and who connects in between waits.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

/// What was handed over and has not been taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    listeners: Vec<(SocketAddr, TcpListener)>,
}

impl Inherited {
    /// From the environment of this process.
    pub(crate) fn from_process() -> Self {
        let mut handed = ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..handed.len() {
            let listener = handed.take_tcp_listener(index);
            let listener = listener.and_then(|found| {
                found
                    .map(|listener| Ok((listener.local_addr()?, listener)))
                    .transpose()
            });
            match listener {
                Ok(found) => inherited.listeners.extend(found),
                Err(error) => tracing::warn!(
                    "a socket that systemd handed over is not used: {error}; callbox.socket lists TCP ports (ListenStream=) only"
                ),
            }
        }
        inherited
    }

    /// The one for this address: its port decides, since systemd's unit is what says on which addresses it is open.
    pub(crate) fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let same = |(own, _): &(SocketAddr, _)| own.port() == address.port();
        let index = self.listeners.iter().position(same)?;
        Some(self.listeners.swap_remove(index).1)
    }

    /// Who connects to what is left would wait for ever.
    pub(crate) fn report_rest(self) {
        for (address, _) in self.listeners {
            tracing::warn!(
                "systemd listens on {address}, but no key names port {}; remove it from callbox.socket or set listen, http.redirect, turn.listen, turn.tls_listen or admin.listen",
                address.port()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        let mut inherited = Inherited {
            listeners: vec![(own, listener)],
        };
        let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
        assert!(inherited.take(any(own.port() ^ 1)).is_none());
        assert!(inherited.take(any(own.port())).is_some());
        assert!(inherited.take(any(own.port())).is_none());
    }
}
