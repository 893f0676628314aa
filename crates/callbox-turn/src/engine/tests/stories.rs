//! Stories in simulated time: what clients and peers send, what comes of it, and what a later moment changes.

mod pages;
mod properties;

use std::net::SocketAddr;

use super::directory::{self, ALICE, BOB, Holder};
use super::world::{self, World, five_tuple, peer, request};
use super::*;
use crate::wire::Method::{Allocate, Binding, ChannelBind, CreatePermission, Refresh};
use crate::wire::drafts::{Draft, Kind};

const CHANNEL: u16 = 0x4001;

#[test]
fn a_stranger_learns_its_address_and_how_to_sign() {
    let mut world = World::new();
    let ana = five_tuple(1);
    let seen = world.answer(ana, request(Binding));
    assert_eq!(seen.address(0x0020), Some(ana.address));
    assert_eq!((seen.get(0x0001), seen.get(0x8022)), (None, None));
    let seen = world.answer(ana, request(Allocate).transport(17));
    assert_eq!(seen.error(), Some(401));
    assert!(seen.get(0x0014).is_some() && seen.get(0x0015).is_some());
    assert_eq!(
        world.answer(ana, request(Binding).raw(0x7ffe, b"")).error(),
        Some(420)
    );
}

#[test]
fn an_expired_nonce_is_renewed() {
    let mut world = World::new();
    let ana = five_tuple(1);
    assert_eq!(world.ask(ana, ALICE, request(Refresh)).error(), Some(437));
    world.pass(3600);
    let seen = world.ask(ana, ALICE, request(Refresh));
    assert_eq!(seen.error(), Some(438));
    world.take_nonce(ana, &seen);
    assert_eq!(world.ask(ana, ALICE, request(Refresh)).error(), Some(437));
}

#[test]
fn a_relayed_address_lives_as_long_as_it_is_refreshed() {
    let mut world = World::new();
    let ana = five_tuple(1);
    let seen = world.ask(ana, ALICE, request(Allocate).transport(17));
    assert_eq!((seen.error(), seen.lifetime()), (None, Some(600)));
    assert_eq!(seen.address(0x0020), Some(ana.address));
    assert!(seen.address(0x0016).is_some());
    world.pass(599);
    let seen = world.ask(ana, ALICE, request(Refresh).lifetime(99_999));
    assert_eq!((seen.error(), seen.lifetime()), (None, Some(3600)));
    world.pass(3599);
    assert_eq!(world.engine.allocations(), 1);
    world.pass(1);
    assert_eq!(world.engine.allocations(), 0);
    assert_eq!(world.host.ended, [End::Expired]);
    world.assert_empty();
}

#[test]
fn the_same_allocate_again_is_answered_the_same() {
    let mut world = World::new();
    let ana = five_tuple(1);
    let draft = || request(Allocate).transport(17).lifetime(1200);
    let first = world.ask(ana, ALICE, draft());
    let again = world.ask(ana, ALICE, draft());
    assert_eq!(again.error(), None);
    assert_eq!(first.0.raw, again.0.raw);
    let other = Draft::new(&Kind::Request(Allocate), [9; 12]).transport(17);
    assert_eq!(world.ask(ana, ALICE, other).error(), Some(437));
    assert_eq!(world.ask(ana, BOB, draft()).error(), Some(437));
}

#[test]
fn a_permission_holds_five_minutes_both_ways() {
    let mut world = World::new();
    let ana = world.allocated(1);
    world.permit(ana, peer(1));
    assert!(world.sends(ana, peer(1)) && world.hears(ana, peer(1)));
    assert!(!world.sends(ana, peer(2)) && !world.hears(ana, peer(2)));
    world.pass(299);
    world.permit(ana, peer(1));
    world.pass(299);
    assert!(world.sends(ana, peer(1)));
    world.pass(1);
    assert!(!world.sends(ana, peer(1)) && !world.hears(ana, peer(1)));
}

#[test]
fn a_channel_needs_its_permission_and_outlives_it() {
    let mut world = World::new();
    let ana = world.allocated(1);
    world.bind(ana, CHANNEL, peer(1));
    assert!(world.speaks(ana, CHANNEL));
    assert_eq!(world.channel_heard(ana, peer(1)), Some(CHANNEL));
    world.pass(300);
    assert!(!world.speaks(ana, CHANNEL), "the permission has expired");
    assert_eq!(world.channel_heard(ana, peer(1)), None);
    world.permit(ana, peer(1));
    assert!(world.speaks(ana, CHANNEL), "the channel has not");
    world.pass(299);
    assert_eq!(world.channel_heard(ana, peer(1)), Some(CHANNEL));
    world.refresh(ana);
    world.permit(ana, peer(1));
    world.pass(1);
    assert!(!world.speaks(ana, CHANNEL), "the channel has expired");
    assert!(world.hears(ana, peer(1)), "as a Data indication");
    assert_eq!(world.channel_heard(ana, peer(1)), None);
}

#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let mut world = World::new();
    let ana = world.allocated(1);
    let mut bind = |number, to| {
        let draft = request(ChannelBind).channel(number).peer(to);
        world.ask(ana, ALICE, draft).error()
    };
    assert_eq!(bind(CHANNEL, peer(1)), None);
    assert_eq!(bind(CHANNEL, peer(1)), None);
    assert_eq!(bind(CHANNEL, peer(2)), Some(400));
    assert_eq!(bind(CHANNEL + 1, peer(1)), Some(400));
    assert_eq!(bind(0x3fff, peer(2)), Some(400));
    assert_eq!(bind(0x5000, peer(2)), Some(400));
    let v6: SocketAddr = "[2606:4700::1]:9".parse().unwrap();
    assert_eq!(bind(CHANNEL + 2, v6), Some(443));
}

#[test]
fn tables_are_bounded() {
    let mut world = World::new();
    let ana = world.allocated(1);
    for i in 0..world::MAX_PERMISSIONS {
        world.permit(ana, peer(u8::try_from(i).unwrap()));
    }
    let over = request(CreatePermission).peer(peer(200));
    assert_eq!(world.ask(ana, ALICE, over).error(), Some(403));
    let known = request(CreatePermission).peer(peer(0));
    assert_eq!(world.ask(ana, ALICE, known).error(), None);
    for i in 0..world::MAX_CHANNELS {
        let i = u8::try_from(i).unwrap();
        world.bind(ana, CHANNEL + u16::from(i), peer(i));
    }
    let over = request(ChannelBind).channel(0x4fff).peer(peer(30));
    assert_eq!(world.ask(ana, ALICE, over).error(), Some(403));
}

#[test]
fn requests_without_their_parts_are_refused() {
    let mut world = World::new();
    let ana = world.allocated(1);
    let mut code = |draft| world.ask(ana, ALICE, draft).error();
    assert_eq!(code(request(CreatePermission)), Some(400));
    assert_eq!(code(request(ChannelBind).peer(peer(1))), Some(400));
    assert_eq!(code(request(ChannelBind).channel(CHANNEL)), Some(400));
    assert_eq!(code(request(Refresh).raw(0x000d, b"1")), Some(400));
    assert_eq!(code(request(Refresh).raw(0x7ffe, b"1")), Some(420));
    let two = request(ChannelBind)
        .channel(CHANNEL)
        .peer(peer(1))
        .peer(peer(2));
    assert_eq!(code(two), Some(400));
    let bo = five_tuple(2);
    let mut code = |draft| world.ask(bo, ALICE, draft).error();
    assert_eq!(code(request(Allocate)), Some(400));
    assert_eq!(code(request(Allocate).transport(6)), Some(442));
    let with = |kind, value: &[u8]| request(Allocate).transport(17).raw(kind, value);
    assert_eq!(code(with(0x0017, &[3, 0, 0, 0])), Some(440));
    assert_eq!(code(with(0x0022, &[1; 8])), Some(508));
    assert_eq!(code(with(0x0022, &[1; 8]).raw(0x0018, &[0])), Some(400));
    assert_eq!(
        code(with(0x0022, &[1; 8]).raw(0x0017, &[1, 0, 0, 0])),
        Some(400)
    );
}

#[test]
fn somebody_elses_allocation_is_not_touched() {
    let mut world = World::new();
    let ana = world.allocated(1);
    assert_eq!(world.ask(ana, BOB, request(Refresh)).error(), Some(441));
    let draft = request(CreatePermission).peer(peer(1));
    assert_eq!(world.ask(ana, BOB, draft).error(), Some(441));
    assert_eq!(world.engine.allocations(), 1);
}

#[test]
fn a_call_outlives_its_credential_but_not_its_room() {
    let mut world = World::new();
    let visitor = world.page("v-1", 3600);
    world.with_present(|present| present.insert("v-1".into()));
    let ana = five_tuple(1);
    let draft = || request(Allocate).transport(17).lifetime(3600);
    assert_eq!(world.ask(ana, &visitor, draft()).error(), None);
    world.pass(3599);
    assert_eq!(world.answer_to_refresh(ana, &visitor), None);
    world.pass(3599);
    assert_eq!(world.answer_to_refresh(ana, &visitor), None);
    let bo = five_tuple(2);
    assert_eq!(
        world.ask(bo, &visitor, draft()).error(),
        Some(401),
        "expired"
    );
    world.with_present(BTreeSet::clear);
    assert_eq!(world.answer_to_refresh(ana, &visitor), Some(401));
    let now = world.now.instant;
    world
        .engine
        .revoke(&mut world.host, &Holder::own("v-1"), now);
    assert_eq!(world.host.ended, [End::Revoked]);
    world.assert_empty();
}

#[test]
fn two_clients_meet_inside_the_server() {
    let mut world = World::new();
    let (ana, bo) = (world.allocated(1), world.allocated(2));
    let (ana_at, bo_at) = (world.relayed(ana), world.relayed(bo));
    world.permit(ana, bo_at);
    world.permit(bo, ana_at);
    assert_eq!(
        world.inside(ana, bo_at),
        Some((bo, ana_at)),
        "as an indication"
    );
    world.bind(ana, CHANNEL, bo_at);
    world.bind(bo, CHANNEL + 1, ana_at);
    let verdict = world.say(ana, CHANNEL, b"hello");
    assert_eq!(
        verdict,
        world::Heard::Client(bo, b"\x40\x02\x00\x05hello".to_vec())
    );
    world.pass(300);
    assert_eq!(world.say(ana, CHANNEL, b"hello"), world::Heard::Nothing);
}

#[test]
fn an_own_port_without_a_relayed_address_is_refused() {
    let mut world = World::new();
    let ana = world.allocated(1);
    let mut port = world.relayed(ana);
    port.set_port(1);
    let draft = request(ChannelBind).channel(CHANNEL).peer(port);
    assert_eq!(world.ask(ana, ALICE, draft).error(), Some(403));
    world.permit(ana, port);
    assert!(!world.sends(ana, port), "each packet is checked");
}

#[test]
fn an_address_that_comes_to_the_machine_ends_the_ways_to_it() {
    let mut world = World::new();
    let (ana, bo) = (world.allocated(1), world.allocated(2));
    for client in [ana, bo] {
        world.bind(client, CHANNEL, peer(1));
        world.bind(client, CHANNEL + 1, peer(2));
        world.permit(client, peer(3));
    }
    world.pass(200);
    let came = [peer(1).ip(), peer(3).ip()];
    let withdrawn = world.set_policy(world::policy(&[world::PUBLIC], &came));
    assert_eq!((withdrawn.permissions, withdrawn.channels), (4, 2));
    for client in [ana, bo] {
        for gone in [peer(1), peer(3)] {
            assert!(!world.sends(client, gone) && !world.hears(client, gone));
            let draft = request(CreatePermission).peer(gone);
            assert_eq!(world.ask(client, ALICE, draft).error(), Some(403));
        }
        assert!(!world.speaks(client, CHANNEL));
        assert!(
            world.speaks(client, CHANNEL + 1),
            "what is permitted goes on"
        );
        assert_eq!(world.channel_heard(client, peer(2)), Some(CHANNEL + 1));
    }
    assert_eq!(
        world.set_policy(world::policy(&[world::PUBLIC], &[])),
        Withdrawn::default()
    );
    assert!(!world.speaks(ana, CHANNEL), "what has ended stays so");
    world.bind(ana, CHANNEL, peer(1));
    assert!(world.speaks(ana, CHANNEL));
    world.pass(100);
    assert!(
        world.speaks(ana, CHANNEL),
        "the time of the first is over, not of this one"
    );
    world.pass(3600);
    world.assert_empty();
}

#[test]
fn a_channel_to_a_relayed_address_stays_where_its_address_stays_the_machines() {
    let mut world = World::new();
    let ana = world.allocated(1);
    let elsewhere: SocketAddr = "5.6.7.8:60000".parse().unwrap();
    let bound: SocketAddr = "10.0.0.5:60000".parse().unwrap();
    world.host.elsewhere = Some((elsewhere, bound));
    world.bind(ana, CHANNEL, elsewhere);
    let same = world::policy(&[world::PUBLIC], &[]);
    assert_eq!(world.set_policy(Arc::clone(&same)), Withdrawn::default());
    assert_eq!(world.sent_to(ana, elsewhere), Some(bound));
    assert_eq!(world.channel_heard(ana, bound), Some(CHANNEL));
    // The allocation over there has ended: the address is still one of relayed addresses, the port is not.
    world.host.elsewhere = None;
    let withdrawn = world.set_policy(same);
    assert_eq!((withdrawn.permissions, withdrawn.channels), (0, 1));
    assert!(!world.speaks(ana, CHANNEL));
}

#[test]
fn a_peer_that_becomes_the_machines_own_is_looked_at_with_each_packet() {
    let mut world = World::new();
    let ana = world.allocated(1);
    let bound = peer(1);
    world.bind(ana, CHANNEL, bound);
    assert!(world.speaks(ana, CHANNEL));
    world.host.elsewhere = Some((bound, bound));
    let withdrawn = world.set_policy(world::policy(&[world::PUBLIC], &[bound.ip()]));
    assert_eq!(withdrawn, Withdrawn::default());
    assert!(world.speaks(ana, CHANNEL));
    world.host.elsewhere = None;
    assert!(!world.speaks(ana, CHANNEL));
}

#[test]
fn an_address_that_a_route_leads_here_is_no_peer() {
    let mut world = World::new();
    let ana = world.allocated(1);
    world.host.unlisted.insert(peer(1).ip());
    for draft in [
        request(CreatePermission).peer(peer(2)).peer(peer(1)),
        request(ChannelBind).channel(CHANNEL).peer(peer(1)),
    ] {
        assert_eq!(world.ask(ana, ALICE, draft).error(), Some(403));
    }
    for refused in [peer(1), peer(2)] {
        assert!(!world.sends(ana, refused) && !world.hears(ana, refused));
    }
    world.bind(ana, CHANNEL, peer(2));
    world.host.unlisted.insert(peer(2).ip());
    let withdrawn = world.set_policy(world::policy(&[world::PUBLIC], &[]));
    assert_eq!((withdrawn.permissions, withdrawn.channels), (1, 1));
    assert!(!world.speaks(ana, CHANNEL) && !world.hears(ana, peer(2)));
}

#[test]
fn private_peers_depend_on_the_client_and_on_nobody_else() {
    let private: SocketAddr = "10.0.0.53:53".parse().unwrap();
    let mut world = World::new();
    world.set_policy(world::policy(&[], &[]));
    let (stranger, neighbour) = (world.allocated(1), world.allocated(3));
    world.bind(neighbour, CHANNEL, private);
    assert!(world.speaks(neighbour, CHANNEL) && world.hears(neighbour, private));
    for draft in [
        request(CreatePermission).peer(private),
        request(ChannelBind).channel(CHANNEL).peer(private),
    ] {
        assert_eq!(world.ask(stranger, ALICE, draft).error(), Some(403));
    }
    assert!(!world.sends(stranger, private) && !world.hears(stranger, private));
    // A public address becomes known: this is no LAN.
    let withdrawn = world.set_policy(world::policy(&[world::PUBLIC], &[]));
    assert_eq!((withdrawn.permissions, withdrawn.channels), (1, 1));
    assert!(!world.speaks(neighbour, CHANNEL) && !world.hears(neighbour, private));
}

#[test]
fn a_peer_on_another_shard_is_reached_where_it_is_bound() {
    let mut world = World::new();
    let ana = world.allocated(1);
    let elsewhere: SocketAddr = "5.6.7.8:60000".parse().unwrap();
    let bound: SocketAddr = "10.0.0.5:60000".parse().unwrap();
    world.host.elsewhere = Some((elsewhere, bound));
    world.permit(ana, elsewhere);
    assert_eq!(world.sent_to(ana, elsewhere), Some(bound));
    assert_eq!(world.heard_from(ana, bound), Some(elsewhere));
}

#[test]
fn what_is_lost_on_its_way_to_a_dead_client_ends_with_it() {
    let mut world = World::new();
    let ana = world.allocated(1);
    world.bind(ana, CHANNEL, peer(1));
    let now = world.now.instant;
    world.engine.disconnected(&mut world.host, ana, now);
    assert_eq!(world.host.ended, [End::Disconnected]);
    world.assert_empty();
    world.engine.disconnected(&mut world.host, ana, now);
    assert_eq!(world.host.ended.len(), 1);
}

#[test]
fn a_bitrate_holds_each_way() {
    let mut world = World::with_bitrate(1000);
    let ana = world.allocated(1);
    world.permit(ana, peer(1));
    let mut through = |count| (0..count).filter(|_| world.sends(ana, peer(1))).count();
    let sent = through(1000);
    assert_eq!(sent, 1000 / world::PAYLOAD.len());
    assert!(world.hears(ana, peer(1)), "the other way is not used up");
    world.pass(1);
    assert!(world.sends(ana, peer(1)));
}

#[test]
fn a_check_relays_slowly() {
    let mut world = World::with_bitrate(1000);
    let check = world.page("c-1", 120);
    let client = five_tuple(1);
    let draft = request(Allocate).transport(17);
    assert_eq!(world.ask(client, &check, draft).error(), None);
    world.permit_as(client, &check, peer(1));
    let sent = (0..1000).filter(|_| world.sends(client, peer(1))).count();
    assert_eq!(
        sent as u64,
        directory::CHECK_RATE / world::PAYLOAD.len() as u64
    );
}

#[test]
fn answers_to_strangers_are_limited_and_never_amplify() {
    let mut world = World::new();
    let ana = five_tuple(1);
    let answered = (0..5000)
        .filter(|_| world.try_answer(ana, request(Allocate)).is_some())
        .count();
    assert_eq!(answered, 200);
    let bo = five_tuple(2);
    assert!(
        world.try_answer(bo, request(Binding)).is_some(),
        "another source"
    );
    let long = "r".repeat(120);
    let mut world = World::with_realm(&long);
    let ana = five_tuple(1);
    assert!(world.try_answer(ana, request(Allocate)).is_none());
}

/// A key is told to be right or wrong a few times a minute; who knows it is served elsewhere, and where it is in use.
#[test]
fn guesses_are_slowed_and_nobody_else_is() {
    let mut world = World::new();
    let (ana, mallory, bo) = (world.allocated(1), five_tuple(2), five_tuple(3));
    let guess: &directory::User = &("alice", "guess");
    let draft = || request(Allocate).transport(17);
    let mut refused = 0;
    while let Some(seen) = world.try_ask(mallory, guess, draft()) {
        assert_eq!(seen.error(), Some(401));
        refused += 1;
    }
    assert_eq!(refused, 10);
    assert!(
        world.try_ask(mallory, ALICE, draft()).is_none(),
        "nor the right one"
    );
    assert_eq!(
        world.ask(mallory, BOB, draft()).error(),
        None,
        "another name"
    );
    assert_eq!(
        world.ask(bo, ALICE, draft()).error(),
        None,
        "from elsewhere"
    );
    assert_eq!(world.answer_to_refresh(ana, ALICE), None);
    let cy = Client {
        address: SocketAddr::from(([192, 0, 2, 2], 5001)),
        ..mallory
    };
    assert!(world.try_ask(cy, ALICE, draft()).is_none(), "another port");
    world.pass(6);
    assert_eq!(world.ask(cy, ALICE, draft()).error(), None);
}
