//! The relay, with webrtc-rs's client.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::time::timeout;
use turn::client::{Client as TurnClient, ClientConfig};
use webrtc_util::Conn;

use crate::support::{Client as Page, PATIENCE, Server, get, json_of, program};

/// Username and password, as a page gets them.
pub(crate) async fn credentials(server: &Server) -> (String, String) {
    let script = get(server.https, "/config.js").await;
    let entry = json_of(script.text(), "PC_CONFIG")["iceServers"][1].clone();
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    (text("username"), text("credential"))
}

#[tokio::test]
async fn a_check_gets_credentials_for_two_minutes_and_no_seat() {
    let server = Server::start("[turn.limits]\ncheck_bitrate = \"500 kbit/s\"\n");
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let script = get(server.https, "/config.js?check&2").await;
    let settings = json_of(script.text(), "SETTINGS");
    assert_eq!(settings["ticket"], "");
    assert_eq!(settings["check"]["address"], "127.0.0.1");
    assert_eq!(settings["check"]["bitrate"], 500_000);
    assert_eq!(settings["check"]["trusted"], false);
    let entry = json_of(script.text(), "PC_CONFIG")["iceServers"][1].clone();
    let (name, password) = (
        entry["username"].as_str().unwrap(),
        entry["credential"].as_str().unwrap(),
    );
    let (expiry, holder) = name.split_once(':').unwrap();
    let left = expiry.parse::<u64>().unwrap() - before.as_secs();
    assert!((119..=123).contains(&left), "{left} s");
    assert!(holder.starts_with("c-"), "{holder}");
    let client = client(server.turn, name, password).await;
    client.allocate().await.unwrap();
    let plain = get(server.https, "/config.js?checked").await;
    assert!(json_of(plain.text(), "SETTINGS").get("check").is_none());
}

pub(crate) async fn client(server: SocketAddr, username: &str, password: &str) -> TurnClient {
    let socket = UdpSocket::bind((IpAddr::from([127, 0, 0, 1]), 0))
        .await
        .unwrap();
    let client = TurnClient::new(ClientConfig {
        stun_serv_addr: server.to_string(),
        turn_serv_addr: server.to_string(),
        username: username.to_owned(),
        password: password.to_owned(),
        realm: String::new(),
        software: String::new(),
        rto_in_ms: 0,
        conn: Arc::new(socket),
        vnet: None,
    })
    .await
    .unwrap();
    client.listen().await.unwrap();
    client
}

pub(crate) async fn receive(conn: &(impl Conn + ?Sized)) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = timeout(PATIENCE, conn.recv_from(&mut buffer))
        .await
        .expect("a packet")
        .unwrap();
    (buffer[..length].to_vec(), from)
}

#[tokio::test]
async fn a_binding_request_tells_the_own_address() {
    let server = Server::start("");
    let client = client(server.turn, "", "").await;
    let mapped = client.send_binding_request().await.unwrap();
    assert!(mapped.ip().is_loopback());
}

#[tokio::test]
async fn two_visitors_reach_each_other_through_two_relayed_addresses() {
    let server = Server::start("[turn]\nrelay_ports = \"42000-42999\"\n");
    let (name, password) = credentials(&server).await;
    let first = client(server.turn, &name, &password).await;
    let (name, password) = credentials(&server).await;
    let second = client(server.turn, &name, &password).await;
    let (ana, bo) = (
        first.allocate().await.unwrap(),
        second.allocate().await.unwrap(),
    );
    let (ana_address, bo_address) = (ana.local_addr().unwrap(), bo.local_addr().unwrap());
    for address in [ana_address, bo_address] {
        assert!((42000..=42999).contains(&address.port()), "{address}");
    }
    // The first packets open the permissions; UDP may drop them until both are there.
    ana.send_to(b"open", bo_address).await.unwrap();
    bo.send_to(b"hello", ana_address).await.unwrap();
    let (data, from) = receive(&ana).await;
    assert_eq!((data.as_slice(), from), (&b"hello"[..], bo_address));
    ana.send_to(b"and back", bo_address).await.unwrap();
    loop {
        let (data, from) = receive(&bo).await;
        assert_eq!(from, ana_address);
        if data == b"and back" {
            break;
        }
    }
}

#[tokio::test]
async fn behind_nat_the_relayed_address_is_the_public_one_and_leads_back() {
    let server = Server::start("public_ip = \"5.6.7.8\"\n");
    let (name, password) = credentials(&server).await;
    let first = client(server.turn, &name, &password).await;
    let second = client(server.turn, &name, &password).await;
    let (ana, bo) = (
        first.allocate().await.unwrap(),
        second.allocate().await.unwrap(),
    );
    let (ana_address, bo_address) = (ana.local_addr().unwrap(), bo.local_addr().unwrap());
    assert_eq!(ana_address.ip(), IpAddr::from([5, 6, 7, 8]));
    ana.send_to(b"open", bo_address).await.unwrap();
    bo.send_to(b"hello", ana_address).await.unwrap();
    assert_eq!(receive(&ana).await, (b"hello".to_vec(), bo_address));
}

#[tokio::test]
async fn named_users_may_and_others_may_not() {
    let server = Server::start("[turn]\n[turn.users]\nalice = \"wonderland\"\n");
    assert!(
        client(server.turn, "alice", "wonderland")
            .await
            .allocate()
            .await
            .is_ok()
    );
    let (name, password) = credentials(&server).await;
    let (_, visitor) = name.split_once(':').unwrap();
    for (name, password) in [
        ("alice", "wrong"),
        ("bob", "wonderland"),
        (&name, "wrong"),
        (&format!("1:{visitor}"), &password),
        (&format!("9999999999:{visitor}"), &password),
        ("", ""),
    ] {
        let refused = client(server.turn, name, password).await.allocate().await;
        assert!(refused.is_err(), "{name}");
    }
}

/// The name with the password that the server's secret gives it.
pub(crate) fn sign(server: &Server, name: &str) -> (String, String) {
    let secret = std::fs::read_to_string(server.path("state/turn-secret")).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let mac = ring::hmac::sign(&key, name.as_bytes());
    let password = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac);
    (name.to_owned(), password)
}

/// What the server itself makes of an expiry and a name, so that it takes no other for one of its pages (`docs/turn.md`).
fn own(server: &Server, name: &str) -> String {
    use ring::hmac::{HMAC_SHA256, Key, sign};
    let key = std::fs::read_to_string(server.path("state/ticket-key")).unwrap();
    let purpose = b"callbox: names of the relay's visitors and checks";
    let key = sign(&Key::new(HMAC_SHA256, key.as_bytes()), purpose);
    let mac = sign(&Key::new(HMAC_SHA256, key.as_ref()), name.as_bytes());
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let tag = base64::Engine::encode(&engine, &mac.as_ref()[..12]);
    format!("{name}.{tag}")
}

pub(crate) fn seconds_now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

#[tokio::test]
async fn an_expired_credential_is_refused() {
    let server = Server::start("");
    let mint = |expiry: u64| sign(&server, &format!("{expiry}:another-program"));
    let now = seconds_now();
    for (expiry, allowed) in [(now + 60, true), (now - 1, false)] {
        let (name, password) = mint(expiry);
        let allocated = client(server.turn, &name, &password).await.allocate().await;
        assert_eq!(allocated.is_ok(), allowed, "{expiry}");
    }
}

#[tokio::test]
async fn a_visitor_relays_while_in_a_room() {
    let server = Server::start("[signaling]\nresume = \"1s\"\n[turn]\ncredential_ttl = \"1h\"\n");
    let mut page = Page::connect(server.https).await;
    let visitor = page.ticket.split('.').nth(1).unwrap().to_owned();
    // As if the page had been opened two minutes ago.
    let (name, password) = sign(
        &server,
        &own(
            &server,
            &format!("{}:{visitor}", seconds_now() + 3600 - 120),
        ),
    );
    let before = client(server.turn, &name, &password).await.allocate().await;
    assert!(before.is_err(), "not in a room yet");
    page.enter("blue-otter", "Ana", None).await;
    let turn = client(server.turn, &name, &password).await;
    let _relayed = turn.allocate().await.unwrap();
    drop(page);
    wait_for_log(&server, "reason=the visitor left").await;
    let after = client(server.turn, &name, &password).await.allocate().await;
    assert!(after.is_err(), "gone for good");
}

#[tokio::test]
async fn with_timed_credentials_nobody_has_to_be_in_a_room() {
    let server = Server::start("[turn]\ncredentials = \"timed\"\n");
    let (name, password) = sign(&server, &format!("{}:v-1", seconds_now() + 60));
    let turn = client(server.turn, &name, &password).await;
    assert!(turn.allocate().await.is_ok());
}

/// Waits until the log has a line with this text.
async fn wait_for_log(server: &Server, text: &str) -> String {
    let found = async {
        loop {
            let log = server.log();
            match log.lines().find(|line| line.contains(text)) {
                Some(line) => return line.to_owned(),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(PATIENCE, found).await.expect(text)
}

#[tokio::test]
async fn credentials_for_another_program_are_printed_and_work() {
    let server = Server::start("");
    let run = |arguments: &[&str]| {
        program()
            .args(["--config", "callbox.toml", "credentials"])
            .args(arguments)
            .current_dir(&server.dir)
            .output()
            .unwrap()
    };
    for name in ["v-anna", "c-3po"] {
        assert!(run(&["--name", name]).status.success());
    }
    let output = run(&["--ttl", "1h", "--name", "bridge"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    let (name, password) = (field("username"), field("password"));
    let expiry: u64 = name.strip_suffix(":bridge").unwrap().parse().unwrap();
    assert!(expiry.abs_diff(seconds_now() + 3600) < 10);
    assert!(
        client(server.turn, &name, &password)
            .await
            .allocate()
            .await
            .is_ok()
    );
    for wrong in [
        &["--name", ""][..],
        &["--ttl", "soon"],
        &["--ttl", "2years"],
    ] {
        let output = run(wrong);
        assert!(!output.status.success() && !output.stderr.is_empty());
    }
}

#[tokio::test]
async fn short_passwords_of_named_users_are_warned_of_by_name() {
    let users = "[turn]\n[turn.users]\nalice = \"wonderland\"\nbob = \"sixteen-letters-\"\n";
    let server = Server::start(users);
    let line = wait_for_log(&server, "passwords of fewer than 16 characters").await;
    assert!(line.contains("to alice") && !line.contains("bob"), "{line}");
    assert!(!line.contains("wonderland"));
}

#[tokio::test]
async fn an_allocation_has_a_bitrate_by_default() {
    const PER_SECOND: f64 = 10_000_000.0 / 8.0;
    let server = Server::start("[turn.users]\nalice = \"a-password-of-many-letters\"\n");
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let turn = client(server.turn, "alice", "a-password-of-many-letters").await;
    let relayed = turn.allocate().await.unwrap();
    let (address, start, mut arrived) = (peer.local_addr().unwrap(), Instant::now(), 0);
    for _ in 0..10_000 / 20 {
        for _ in 0..20 {
            relayed.send_to(&[7; 1000], address).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        while let Ok(length) = peer.try_recv(&mut [0; 2048]) {
            arrived += u32::try_from(length).unwrap();
        }
    }
    // A second's worth may pass at once.
    let most = PER_SECOND * (start.elapsed().as_secs_f64() + 1.0);
    assert!(arrived >= 1_000_000, "{arrived}");
    assert!(f64::from(arrived) <= most, "{arrived} of {most}");
}

#[tokio::test]
async fn an_ended_allocation_is_one_line_in_the_log() {
    let server = Server::start("[turn]\n[turn.users]\nalice = \"wonderland\"\n");
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let turn = client(server.turn, "alice", "wonderland").await;
    let relayed = turn.allocate().await.unwrap();
    let address = peer.local_addr().unwrap();
    relayed.send_to(b"hello", address).await.unwrap();
    let (data, from) = receive_from(&peer).await;
    peer.send_to(&data, from).await.unwrap();
    receive(&relayed).await;
    relayed.close().await.unwrap();
    let line = wait_for_log(&server, "relaying ended").await;
    for part in [
        "user=\"alice\"",
        "transport=udp",
        &format!("relayed={from}"),
        "packets_out=1",
        "bytes_out=5",
        "packets_in=1",
        "bytes_in=5",
        "reason=released by the client",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(server.log().matches("relaying ended").count(), 1);
}

async fn receive_from(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 64];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await;
    let (length, from) = received.expect("a packet").unwrap();
    (buffer[..length].to_vec(), from)
}

/// Does a packet from a relayed address arrive at `peer`?
async fn reaches(server: &Server, peer: &UdpSocket, address: SocketAddr) -> bool {
    let (name, password) = credentials(server).await;
    let client = client(server.turn, &name, &password).await;
    let relayed = client.allocate().await.unwrap();
    let _ = timeout(Duration::from_secs(2), relayed.send_to(b"knock", address)).await;
    let mut buffer = [0; 64];
    timeout(Duration::from_millis(700), peer.recv_from(&mut buffer))
        .await
        .is_ok()
}

#[tokio::test]
async fn loopback_peers_only_where_everything_listens_on_loopback() {
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = peer.local_addr().unwrap();
    let closed = Server::start("");
    assert!(reaches(&closed, &peer, address).await);

    // The page is served to the network; the relay's client still comes over loopback.
    let dir = tempfile::tempdir().unwrap();
    let config = "listen = \"0.0.0.0:0\"\npublic_ip = \"5.6.7.8\"\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let mut open = Server::start_in(dir, &[]);
    open.https.set_ip(IpAddr::from([127, 0, 0, 1]));
    assert!(!reaches(&open, &peer, address).await);
}

#[tokio::test]
async fn own_ports_are_refused_at_the_relay_socket() {
    let Some(own) = if_addrs::get_if_addrs()
        .unwrap()
        .into_iter()
        .map(|interface| interface.ip())
        .find(|ip| ip.is_ipv4() && !ip.is_loopback())
    else {
        panic!("this test needs a network address beside loopback");
    };
    let peer = UdpSocket::bind((own, 0)).await.unwrap();
    let address = peer.local_addr().unwrap();
    let server = Server::start("[turn]\npeers = [\"0.0.0.0/0\"]\n");
    let own = reaches(&server, &peer, address).await;
    assert!(!own, "an own address without a relayed one");
    let control = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = control.local_addr().unwrap();
    assert!(
        reaches(&server, &control, address).await,
        "the same server relays elsewhere"
    );
}
