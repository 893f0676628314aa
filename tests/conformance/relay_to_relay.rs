//! Row 32: two clients of one server reach each other through two relayed addresses, behind a NAT that leads no packet
//! back.

use std::net::{IpAddr, SocketAddr};

use crate::client::Client;
use crate::link::Via;
use crate::peer::Peer;
use crate::target::{Setup, Target};

stories! {
    row_32_relay_to_relay: udp tcp tls;
    row_32_relay_to_relay_behind_nat: udp tcp tls;
    row_32_relay_to_relay_behind_nat_with_two_shards: udp tcp tls;
    row_32_permissions_hold_between_relays: udp tcp tls;
}

fn behind_nat() -> Setup {
    Setup::default().top("public_ip = \"5.6.7.8\"")
}

/// Both ways, by indications and by channels.
fn check_pair(ana: &mut Client, bo: &mut Client) {
    let (ana_relayed, bo_relayed) = (ana.allocate(), bo.allocate());
    ana.permit(&[bo_relayed]);
    bo.permit(&[ana_relayed]);
    ana.send_to(bo_relayed, b"from Ana");
    assert_eq!(bo.receive_data(), (ana_relayed, b"from Ana".to_vec()));
    bo.send_to(ana_relayed, b"from Bo");
    assert_eq!(ana.receive_data(), (bo_relayed, b"from Bo".to_vec()));

    ana.bind(0x4000, bo_relayed);
    bo.bind(0x4001, ana_relayed);
    ana.send_channel_data(0x4000, b"again");
    assert_eq!(bo.receive_channel_data(), (0x4001, b"again".to_vec()));
    bo.send_channel_data(0x4001, b"likewise");
    assert_eq!(ana.receive_channel_data(), (0x4000, b"likewise".to_vec()));
    ana.send_channel_data(0x4000, b"");
    assert_eq!(bo.receive_channel_data(), (0x4001, Vec::new()));
    let large = vec![7; 1400];
    bo.send_channel_data(0x4001, &large);
    assert_eq!(ana.receive_channel_data(), (0x4000, large));
}

fn row_32_relay_to_relay(via: Via) {
    let server = Target::start();
    check_pair(
        &mut server.client(via),
        &mut server.client_of(&server.bob, via),
    );
}

fn row_32_relay_to_relay_behind_nat(via: Via) {
    let Some(server) = behind_nat().start() else {
        return;
    };
    let (_probe, relayed) = server.allocated(via);
    assert_eq!(relayed.ip(), IpAddr::from([5, 6, 7, 8]));
    check_pair(&mut server.client(via), &mut server.client(Via::Udp));
}

/// Which shard a client lands on is the kernel's choice; of so many pairs some are on one and some on two.
fn row_32_relay_to_relay_behind_nat_with_two_shards(via: Via) {
    let Some(server) = behind_nat().turn("shards = 2").start() else {
        return;
    };
    for other in [Via::Udp, Via::Udp, Via::Udp, Via::Udp, via, via, via, via] {
        check_pair(&mut server.client(via), &mut server.client(other));
    }
}

fn row_32_permissions_hold_between_relays(via: Via) {
    let Some(server) = behind_nat().start() else {
        return;
    };
    let ((mut ana, ana_relayed), (mut bo, bo_relayed)) =
        (server.allocated(via), server.allocated(via));
    let control = Peer::new();
    ana.permit(&[bo_relayed]);
    bo.permit(&[control.address()]);
    ana.send_to(bo_relayed, b"uninvited");
    ana.expect_nothing();
    control.send(
        SocketAddr::new(server.turn.ip(), bo_relayed.port()),
        b"control",
    );
    assert_eq!(bo.receive_data().1, b"control");
    bo.expect_nothing();
    bo.permit(&[ana_relayed]);
    ana.send_to(bo_relayed, b"invited");
    assert_eq!(bo.receive_data(), (ana_relayed, b"invited".to_vec()));
}
