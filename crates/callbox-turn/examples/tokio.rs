//! A TURN server on tokio. User alice, password wonderland:
//!
//! `cargo run -p callbox-turn --example tokio -- 192.0.2.1`

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use callbox_turn::{
    AllocationId, Client, Ended, Engine, HEADROOM, Host, NoRelay, Now, Order, Passwords,
    PeerPolicy, PolicySettings, Relayed, Rules, TAILROOM, Verdict,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::{AbortHandle, spawn};
use tokio::time::sleep_until;

/// A datagram: to the listener, or to the socket of an allocation; from whom, and what.
type Datagram = (Option<AllocationId>, SocketAddr, Vec<u8>);

struct Sockets {
    ip: IpAddr,
    by_allocation: HashMap<AllocationId, (Arc<UdpSocket>, AbortHandle)>,
    inbox: Sender<Datagram>,
}

impl Host<String> for Sockets {
    fn open(&mut self, id: AllocationId, order: &Order<'_, String>) -> Result<Relayed, NoRelay> {
        if order.ipv6 != self.ip.is_ipv6() {
            return Err(NoRelay::Family);
        }
        let bound = std::net::UdpSocket::bind((self.ip, 0)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok((socket.local_addr()?, UdpSocket::from_std(socket)?))
        });
        let (address, socket) = bound.map_err(|_| NoRelay::Capacity)?;
        let socket = Arc::new(socket);
        let receiving = receive(Arc::clone(&socket), Some(id), self.inbox.clone());
        self.by_allocation.insert(id, (socket, receiving));
        Ok(Relayed::at(address))
    }

    fn close(&mut self, id: AllocationId, _: &Ended<'_, String>) {
        if let Some((_, receiving)) = self.by_allocation.remove(&id) {
            receiving.abort();
        }
    }

    fn bound(&self, address: SocketAddr) -> Option<SocketAddr> {
        let mut sockets = self.by_allocation.values();
        let is_it = sockets.any(|(socket, _)| socket.local_addr().is_ok_and(|own| own == address));
        is_it.then_some(address)
    }

    fn advertised(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.bound(address)
    }

    fn is_relaying_on(&self, ip: IpAddr) -> bool {
        ip == self.ip && !self.by_allocation.is_empty()
    }
}

fn receive(
    socket: Arc<UdpSocket>,
    id: Option<AllocationId>,
    inbox: Sender<Datagram>,
) -> AbortHandle {
    let receiving = spawn(async move {
        let mut data = vec![0; 65_535];
        loop {
            if let Ok((length, from)) = socket.recv_from(&mut data).await {
                let _ = inbox.send((id, from, data[..length].to_vec())).await;
            }
        }
    });
    receiving.abort_handle()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ip: IpAddr = std::env::args().nth(1).ok_or("which address?")?.parse()?;
    let listener = Arc::new(UdpSocket::bind((ip, 3478)).await?);
    let (sender, mut inbox) = channel(1024);
    receive(Arc::clone(&listener), None, sender.clone());
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
        let timeout = async {
            match engine.poll_timeout() {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let received = tokio::select! {
            received = inbox.recv() => received,
            () = timeout => None,
        };
        let now = Now {
            instant: Instant::now(),
            wall: SystemTime::now(),
        };
        engine.handle_timeout(&mut sockets, now.instant);
        let Some((id, from, data)) = received else {
            continue;
        };
        let length = data.len();
        buffer[HEADROOM..HEADROOM + length].copy_from_slice(&data);
        let verdict = if let Some(id) = id {
            engine.handle_peer_packet(&sockets, id, from, &mut buffer, length, now.instant)
        } else {
            let client = Client::over_udp(from);
            engine.handle_client_packet(&mut sockets, client, &mut buffer, length, now)
        };
        let _ = match verdict {
            Verdict::Answer(answer) => listener.send_to(&answer, from).await,
            Verdict::ToPeer { from, to, data, .. } => {
                let (socket, _) = &sockets.by_allocation[&from];
                socket.send_to(&buffer[data], to).await
            }
            Verdict::ToClient { client, message } => {
                listener.send_to(&buffer[message], client.address).await
            }
            Verdict::Drop(_) => Ok(0),
        };
    }
}
