//! The server under test: a callbox started for the one story, or the server that the environment names.
//!
//! `CONFORMANCE_SERVER=127.0.0.1:3478` runs the stories that need no configuration of their own against another server,
//! over the `CONFORMANCE_TRANSPORTS` (default `udp`, of `udp,tcp,tls`), as `CONFORMANCE_USER` (default
//! `alice:wonderland`) and `CONFORMANCE_OTHER_USER` (default `bob:builder`) in `CONFORMANCE_REALM` (default `callbox`).
//! The others print "needs callbox" and pass.

use std::env;
use std::net::SocketAddr;

use crate::client::{Client, User};
use crate::link::{Link, Via};
use crate::support::Server;

/// Of the time-limited users.
pub(crate) const SECRET: &str = "a-secret-that-is-long-enough";

/// A configuration that listens on loopback ports and knows two users; stories add to it.
pub(crate) struct Setup {
    ip: String,
    top: String,
    server: String,
    turn: String,
    limits: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            ip: "127.0.0.1".to_owned(),
            top: String::new(),
            server: String::new(),
            turn: String::new(),
            limits: "unauthenticated_per_second = 100000\n".to_owned(),
        }
    }
}

impl Setup {
    /// Where everything listens.
    pub(crate) fn on(mut self, ip: &str) -> Self {
        ip.clone_into(&mut self.ip);
        self
    }

    pub(crate) fn top(mut self, line: &str) -> Self {
        self.top += line;
        self.top += "\n";
        self
    }

    pub(crate) fn server(mut self, line: &str) -> Self {
        self.server += line;
        self.server += "\n";
        self
    }

    pub(crate) fn turn(mut self, line: &str) -> Self {
        self.turn += line;
        self.turn += "\n";
        self
    }

    pub(crate) fn limit(mut self, line: &str) -> Self {
        self.limits += line;
        self.limits += "\n";
        self
    }

    pub(crate) fn with_default_limits(mut self) -> Self {
        self.limits.clear();
        self
    }

    fn text(&self) -> String {
        let Self {
            ip,
            top,
            server,
            turn,
            limits,
        } = self;
        format!(
            "listen = \"{ip}:0\"\n{top}[server]\n{server}[turn]\nlisten = \"{ip}:0\"\ntls_listen = \"{ip}:0\"\n\
             secret = \"{SECRET}\"\n{turn}[turn.limits]\n{limits}\
             [turn.users]\nalice = \"wonderland\"\nbob = \"builder\"\n"
        )
    }

    /// Starts callbox; `None`, and a word about it, where another server is under test.
    pub(crate) fn start(&self) -> Option<Target> {
        if external().is_some() {
            println!("needs callbox");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("callbox.toml"), self.text()).unwrap();
        let server = Server::start_in(dir, &[]);
        Some(Target {
            turn: server.turn,
            tls: tls_address(&server),
            front: server.https,
            realm: "callbox".to_owned(),
            alice: User::new("alice", "wonderland"),
            bob: User::new("bob", "builder"),
            callbox: Some(server),
        })
    }
}

/// The address before `(TLS)` in the banner.
fn tls_address(server: &Server) -> SocketAddr {
    let line = server
        .banner
        .lines()
        .find(|line| line.contains("STUN/TURN"))
        .unwrap();
    let before = line
        .split_once("(TLS)")
        .unwrap_or_else(|| panic!("no TURN over TLS in {line:?}"))
        .0;
    let udp_ends = before.find(')').unwrap();
    let mut listed = before[udp_ends..].split_whitespace().skip(1);
    listed.next().unwrap().parse().unwrap()
}

pub(crate) struct Target {
    /// UDP and TCP.
    pub turn: SocketAddr,
    pub tls: SocketAddr,
    /// The port of the pages.
    pub front: SocketAddr,
    pub realm: String,
    pub alice: User,
    pub bob: User,
    /// The process, unless it is somebody else's.
    pub callbox: Option<Server>,
}

impl Target {
    /// The server that most stories are told to.
    pub(crate) fn start() -> Self {
        external().unwrap_or_else(|| Setup::default().start().unwrap())
    }

    pub(crate) fn address(&self, via: Via) -> SocketAddr {
        match via {
            Via::Udp | Via::Tcp => self.turn,
            Via::Tls => self.tls,
            Via::FrontTcp | Via::FrontTls => self.front,
        }
    }

    /// A client that has said nothing yet.
    pub(crate) fn stranger(&self, via: Via) -> Client {
        Client::new(Link::open(via, self.address(via)))
    }

    /// The same, from this address of the client's machine.
    pub(crate) fn stranger_from(&self, via: Via, source: &str) -> Client {
        let source = source.parse().unwrap();
        Client::new(Link::open_from(via, source, self.address(via)))
    }

    /// A client that signs as Alice, with an allocation, from this address of its machine.
    pub(crate) fn allocated_from(&self, via: Via, source: &str) -> (Client, SocketAddr) {
        let mut client = self.stranger_from(via, source);
        client.log_in(&self.alice);
        let relayed = client.allocate();
        (client, relayed)
    }

    /// A client that signs as this user.
    pub(crate) fn client_of(&self, user: &User, via: Via) -> Client {
        let mut client = self.stranger(via);
        client.log_in(user);
        client
    }

    /// A client that signs as Alice.
    pub(crate) fn client(&self, via: Via) -> Client {
        self.client_of(&self.alice, via)
    }

    /// Alice with an allocation, and its relayed address.
    pub(crate) fn allocated(&self, via: Via) -> (Client, SocketAddr) {
        let mut client = self.client(via);
        let relayed = client.allocate();
        (client, relayed)
    }

    pub(crate) fn callbox(&self) -> &Server {
        self.callbox.as_ref().expect("callbox itself")
    }
}

/// The server that the environment names.
pub(crate) fn external() -> Option<Target> {
    let address = env::var("CONFORMANCE_SERVER").ok()?;
    let address = address.parse().expect("CONFORMANCE_SERVER is IP:PORT");
    let user = |key, default: &str| {
        let text = env::var(key).unwrap_or_else(|_| default.to_owned());
        let (name, password) = text.split_once(':').expect("a user is NAME:PASSWORD");
        User::new(name, password)
    };
    Some(Target {
        turn: address,
        tls: address,
        front: address,
        realm: env::var("CONFORMANCE_REALM").unwrap_or_else(|_| "callbox".to_owned()),
        alice: user("CONFORMANCE_USER", "alice:wonderland"),
        bob: user("CONFORMANCE_OTHER_USER", "bob:builder"),
        callbox: None,
    })
}

/// Tells one story over one transport.
pub(crate) fn tell(via: &str, story: fn(Via)) {
    if external().is_some() {
        let spoken = env::var("CONFORMANCE_TRANSPORTS").unwrap_or_else(|_| "udp".to_owned());
        if !spoken.split(',').any(|name| name == via) {
            println!("needs callbox");
            return;
        }
    }
    story(Via::named(via));
}
