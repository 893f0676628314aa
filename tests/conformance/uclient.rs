//! Row 34: somebody else's client, coturn's `turnutils_uclient`, with its `turnutils_peer`.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::link::Via;
use crate::peer::free_ports;
use crate::target::Target;

stories! {
    row_34_channels: udp tcp tls;
    row_34_indications: udp tcp tls;
    row_34_channels_client_to_client: udp tcp tls;
    row_34_indications_client_to_client: udp tcp tls;
}

const PACKAGE: &str = "this test needs Debian's package coturn";

/// Echoes what it gets.
struct EchoPeer {
    child: Child,
    port: String,
}

impl EchoPeer {
    fn start() -> Self {
        // The second is for RTCP.
        let port = free_ports(2);
        let child = Command::new("turnutils_peer")
            .args(["-L", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(PACKAGE);
        wait_for_echo(port);
        wait_for_echo(port + 1);
        Self {
            child,
            port: port.to_string(),
        }
    }
}

fn wait_for_echo(port: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    let pause = Duration::from_millis(50);
    socket.set_read_timeout(Some(pause)).unwrap();
    for _ in 0..200 {
        let _ = socket.send(b"echo");
        if socket.recv(&mut [0; 16]).is_ok() {
            return;
        }
        std::thread::sleep(pause);
    }
    panic!("turnutils_peer does not answer on {port}");
}

impl Drop for EchoPeer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Messages of each run, whatever the number of clients.
const MESSAGES: u32 = 200;
/// Draws of channel numbers; two of them are right with one in sixteen.
const DRAWS: usize = 300;

/// What the client said, and whether it ended well.
struct Run {
    said: String,
    success: bool,
}

/// So many clients share the messages.
///
/// This client takes a TLS record for a message: of two messages in one record it loses one.
fn run(server: &Target, via: Via, clients: u32, arguments: &[&str]) -> Run {
    let address = server.address(via);
    let transport: &[&str] = match via {
        Via::Udp => &[],
        Via::Tcp | Via::FrontTcp => &["-t"],
        Via::Tls | Via::FrontTls => &["-t", "-S"],
    };
    let messages = (MESSAGES / clients).to_string();
    let output = Command::new("turnutils_uclient")
        .args(transport)
        .args(arguments)
        .args(["-u", &server.alice.name, "-w", &server.alice.password])
        .args(["-m", &clients.to_string(), "-n", &messages])
        .args(["-l", "170", "-z", "10"])
        .args(["-p", &address.port().to_string(), &address.ip().to_string()])
        .output()
        .expect(PACKAGE);
    Run {
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
        success: output.status.success(),
    }
}

fn check(run: &Run) {
    let Run { said, success } = run;
    println!("{said}");
    assert!(success, "turnutils_uclient failed");
    assert!(said.contains("Total lost packets 0 "), "packets were lost");
    let all = format!("tot_send_msgs={MESSAGES}, tot_recv_msgs={MESSAGES}\n");
    assert!(said.contains(&all), "not all of {MESSAGES} messages");
}

/// Debian's version draws channel numbers from 0x4000 to 0x7fff, as RFC 5766 had them, of which RFC 8656 §12 has left
/// the first quarter. It draws until it is lucky, each time at another server: an unlucky one leaves its allocations
/// behind, and reaches the quota in the end.
fn check_channels(via: Via, clients: u32, arguments: &[&str]) {
    let lucky = (0..DRAWS)
        .map(|_| run(&Target::start(), via, clients, arguments))
        .find(|run| !run.said.contains("channel bind: error 400"));
    check(&lucky.expect("channel numbers that are allowed"));
}

/// One client without a second socket for RTCP needs one channel.
fn row_34_channels(via: Via) {
    let peer = EchoPeer::start();
    check_channels(via, 1, &["-c", "-e", "127.0.0.1", "-r", &peer.port]);
}

/// Half of the sockets are for RTCP: they come by EVEN-PORT and RESERVATION-TOKEN.
fn row_34_indications(via: Via) {
    let peer = EchoPeer::start();
    let server = Target::start();
    check(&run(
        &server,
        via,
        4,
        &["-s", "-e", "127.0.0.1", "-r", &peer.port],
    ));
}

fn row_34_channels_client_to_client(via: Via) {
    check_channels(via, 2, &["-y", "-c"]);
}

fn row_34_indications_client_to_client(via: Via) {
    check(&run(&Target::start(), via, 4, &["-y", "-s"]));
}
