//! A TURN server on the sockets of the standard library, with a thread for each. User alice, password wonderland:
//!
//! `cargo run -p callbox-turn --example std -- 192.0.2.1`

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use callbox_turn::{
    AllocationId, Client, Ended, Engine, HEADROOM, Host, NoRelay, Now, Order, Passwords,
    PeerPolicy, PolicySettings, Relayed, Rules, TAILROOM, Verdict,
};

/// A datagram: to the listener, or to the socket of an allocation; from whom, and what.
type Datagram = (Option<AllocationId>, SocketAddr, Vec<u8>);

struct Sockets {
    ip: IpAddr,
    by_allocation: HashMap<AllocationId, Arc<UdpSocket>>,
    inbox: Sender<Datagram>,
}

impl Host<String> for Sockets {
    fn open(&mut self, id: AllocationId, order: &Order<'_, String>) -> Result<Relayed, NoRelay> {
        if order.ipv6 != self.ip.is_ipv6() {
            return Err(NoRelay::Family);
        }
        let bound = UdpSocket::bind((self.ip, 0)).and_then(|it| Ok((it.local_addr()?, it)));
        let (address, socket) = bound.map_err(|_| NoRelay::Capacity)?;
        let socket = Arc::new(socket);
        receive(&socket, Some(id), self.inbox.clone());
        self.by_allocation.insert(id, socket);
        Ok(Relayed::at(address))
    }

    fn close(&mut self, id: AllocationId, _: &Ended<'_, String>) {
        self.by_allocation.remove(&id);
    }

    fn bound(&self, address: SocketAddr) -> Option<SocketAddr> {
        let mut sockets = self.by_allocation.values();
        let is_it = sockets.any(|socket| socket.local_addr().is_ok_and(|own| own == address));
        is_it.then_some(address)
    }

    fn advertised(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.bound(address)
    }

    fn is_relaying_on(&self, ip: IpAddr) -> bool {
        ip == self.ip && !self.by_allocation.is_empty()
    }
}

/// Receives until the socket is gone.
fn receive(socket: &Arc<UdpSocket>, id: Option<AllocationId>, inbox: Sender<Datagram>) {
    let socket: Weak<_> = Arc::downgrade(socket);
    std::thread::spawn(move || {
        let mut data = vec![0; 65_535];
        while let Some(socket) = socket.upgrade() {
            let _ = socket.set_read_timeout(Some(Duration::from_secs(1)));
            let Ok((length, from)) = socket.recv_from(&mut data) else {
                continue;
            };
            if inbox.send((id, from, data[..length].to_vec())).is_err() {
                return;
            }
        }
    });
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ip: IpAddr = std::env::args().nth(1).ok_or("which address?")?.parse()?;
    let listener = Arc::new(UdpSocket::bind((ip, 3478))?);
    let (sender, inbox) = channel();
    receive(&listener, None, sender.clone());
    let users = Passwords::new("example", [("alice", "wonderland")], Instant::now());
    let policy = PeerPolicy::new(&PolicySettings {
        public: &[ip],
        loopback: ip.is_loopback(),
        listeners: &[3478],
        ..PolicySettings::default()
    });
    let mut engine = Engine::new(Rules::new(users, policy, Instant::now())?);
    let mut sockets = Sockets {
        ip,
        by_allocation: HashMap::new(),
        inbox: sender,
    };
    let mut buffer = vec![0; HEADROOM + 65_535 + TAILROOM];
    loop {
        engine.handle_timeout(&mut sockets, Instant::now());
        let until = engine.poll_timeout();
        let wait = until.map(|at| at.saturating_duration_since(Instant::now()));
        let (id, from, data) = match inbox.recv_timeout(wait.unwrap_or(Duration::from_secs(3600))) {
            Ok(datagram) => datagram,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let (now, length) = (Instant::now(), data.len());
        buffer[HEADROOM..HEADROOM + length].copy_from_slice(&data);
        let verdict = if let Some(id) = id {
            engine.handle_peer_packet(&sockets, id, from, &mut buffer, length, now)
        } else {
            let now = Now {
                instant: now,
                wall: SystemTime::now(),
            };
            let client = Client::over_udp(from);
            engine.handle_client_packet(&mut sockets, client, &mut buffer, length, now)
        };
        let _ = match verdict {
            Verdict::Answer(answer) => listener.send_to(&answer, from),
            Verdict::ToPeer { from, to, data, .. } => {
                sockets.by_allocation[&from].send_to(&buffer[data], to)
            }
            Verdict::ToClient { client, message } => {
                listener.send_to(&buffer[message], client.address)
            }
            Verdict::Drop(_) => Ok(0),
        };
    }
}
