//! What a page may send to peers that do not answer.

use super::*;
use crate::engine::tests::directory::Credentials;

const PEER: u8 = 1;

/// A page that callbox calls `name`, with an allocation of its own for each number.
fn page(world: &mut World, name: &str, numbers: &[u8]) -> Credentials {
    let page = world.page(name, 3600);
    world.with_present(|present| present.insert(name.to_owned()));
    for number in numbers {
        let draft = request(Allocate).transport(17).lifetime(3600);
        let client = five_tuple(*number);
        assert_eq!(world.ask(client, &page, draft).error(), None);
        world.permit_as(client, &page, peer(PEER));
    }
    page
}

fn sent(world: &mut World, client: Client, to: SocketAddr, tries: usize) -> usize {
    (0..tries).filter(|_| world.sends(client, to)).count()
}

#[test]
fn a_visitor_sends_little_to_a_peer_until_it_answers() {
    let mut world = World::new();
    page(&mut world, "v-1", &[1]);
    let ana = five_tuple(1);
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 20);
    for passed in [0, 5, 5] {
        world.pass(1);
        assert_eq!(sent(&mut world, ana, peer(PEER), 100), passed);
    }
    assert!(world.hears(ana, peer(PEER)), "what comes is not held back");
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 100);
}

#[test]
fn so_does_a_check() {
    let mut world = World::new();
    let login = page(&mut world, "c-1", &[1]);
    let draft = request(ChannelBind).channel(CHANNEL).peer(peer(PEER));
    assert_eq!(world.ask(five_tuple(1), &login, draft).error(), None);
    let passes = |_: &i32| world.say(five_tuple(1), CHANNEL, b"x") != world::Heard::Nothing;
    assert_eq!((0..100).filter(passes).count(), 20);
}

#[test]
fn neither_ports_nor_allocations_nor_channels_make_it_more() {
    let mut world = World::new();
    let login = page(&mut world, "v-1", &[1, 2, 3]);
    let mut at_port = peer(PEER);
    let mut passed = 0;
    for port in 1..50 {
        at_port.set_port(port);
        for number in 1..=3 {
            passed += sent(&mut world, five_tuple(number), at_port, 5);
        }
    }
    let draft = request(ChannelBind).channel(CHANNEL).peer(peer(PEER));
    assert_eq!(world.ask(five_tuple(1), &login, draft).error(), None);
    passed += (0..50)
        .filter(|_| world.speaks(five_tuple(1), CHANNEL))
        .count();
    assert_eq!(passed, 20);
}

#[test]
fn an_answer_counts_for_a_minute() {
    let mut world = World::new();
    let login = page(&mut world, "v-1", &[1]);
    let ana = five_tuple(1);
    assert!(world.hears(ana, peer(PEER)));
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 100);
    world.pass(59);
    world.permit_as(ana, &login, peer(PEER));
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 100);
    world.pass(1);
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 20, "silent again");
    assert!(world.hears(ana, peer(PEER)));
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 100);
}

#[test]
fn another_peers_answer_does_not_count() {
    let mut world = World::new();
    let login = page(&mut world, "v-1", &[1]);
    let ana = five_tuple(1);
    world.permit_as(ana, &login, peer(2));
    assert!(world.hears(ana, peer(2)));
    assert_eq!(sent(&mut world, ana, peer(PEER), 100), 20);
    assert_eq!(sent(&mut world, ana, peer(2), 100), 100);
}

#[test]
fn a_relayed_address_is_a_peer_like_others_but_by_its_port() {
    let mut world = World::new();
    let login = page(&mut world, "v-1", &[1]);
    let (ana, bo, cy) = (five_tuple(1), world.allocated(2), world.allocated(3));
    let (ana_at, bo_at, cy_at) = (world.relayed(ana), world.relayed(bo), world.relayed(cy));
    world.permit_as(ana, &login, bo_at);
    world.permit(bo, ana_at);
    world.permit(cy, ana_at);
    let inside =
        |world: &mut World, to| (0..100).filter(|_| world.inside(ana, to).is_some()).count();
    assert_eq!(inside(&mut world, bo_at), 20);
    assert_eq!(inside(&mut world, cy_at), 20, "another client's");
    assert_eq!(world.inside(bo, ana_at), Some((ana, bo_at)));
    assert_eq!(inside(&mut world, bo_at), 100, "it has answered");
    assert_eq!(inside(&mut world, cy_at), 0);
    let as_bound = SocketAddr::new(world::LOCAL, bo_at.port());
    world.permit_as(ana, &login, as_bound);
    assert_eq!(inside(&mut world, as_bound), 100, "by its other address");
}

#[test]
fn what_a_page_knows_of_relayed_addresses_is_bounded() {
    let mut world = World::new();
    let login = page(&mut world, "v-1", &[1]);
    let ana = five_tuple(1);
    let there = |port| SocketAddr::new(world::PUBLIC, port);
    let bo = world.allocated(2);
    let bo_at = world.relayed(bo);
    world.permit_as(ana, &login, bo_at);
    let mut try_at = |port, tries| {
        world.host.elsewhere = Some((there(port), SocketAddr::new(world::LOCAL, port)));
        let passed = sent(&mut world, ana, there(port), tries);
        let id = world.engine.by_client[&ana];
        assert!(world.engine.allocations[id.0 as usize].known_inside() <= 256);
        passed
    };
    assert!((1000..1600).all(|port| try_at(port, 1) == 1));
    assert_eq!(try_at(1000, 100), 19, "all know what one has forgotten");
}

#[test]
fn those_whom_others_named_are_not_held_back() {
    let mut world = World::new();
    let ana = world.allocated(1);
    world.permit(ana, peer(PEER));
    assert_eq!(sent(&mut world, ana, peer(PEER), 1000), 1000);
    let foreign = world.foreign("v-1", 3600);
    let bo = five_tuple(2);
    let draft = request(Allocate).transport(17);
    assert_eq!(world.ask(bo, &foreign, draft).error(), None);
    world.permit_as(bo, &foreign, peer(PEER));
    assert_eq!(sent(&mut world, bo, peer(PEER), 1000), 1000);
}

/// The first seconds of ICE: each side checks each pair of three relayed addresses, one every 50 ms, and the answer to
/// the first is there at once.
#[test]
fn a_connection_is_found_as_fast_as_without_it() {
    let mut world = World::new();
    let (ana_login, bo_login) = (
        page(&mut world, "v-ana", &[1, 2, 3]),
        page(&mut world, "v-bo", &[4, 5, 6]),
    );
    let there = |world: &World, number| world.relayed(five_tuple(number));
    for (login, own, others) in [(&ana_login, 1..=3, 4), (&bo_login, 4..=6, 1)] {
        for number in own {
            let to = there(&world, others);
            world.permit_as(five_tuple(number), login, to);
        }
    }
    for round in 0..9_u8 {
        let (ana, bo) = (1 + round % 3, 4 + round / 3);
        let (ana_at, bo_at) = (there(&world, ana), there(&world, bo));
        let check = world.inside(five_tuple(ana), bo_at);
        assert_eq!(check, Some((five_tuple(bo), ana_at)));
        let answer = world.inside(five_tuple(bo), ana_at);
        assert_eq!(answer, Some((five_tuple(ana), bo_at)));
    }
    let (ana, bo_at) = (five_tuple(1), there(&world, 4));
    let video = (0..1000).filter(|_| world.inside(ana, bo_at).is_some());
    assert_eq!(video.count(), 1000);
}
