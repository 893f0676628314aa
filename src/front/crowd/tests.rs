use super::*;

/// Bounds for connections: in total, and of one address.
pub(crate) fn config(total: usize, each: usize) -> config::Server {
    let long = Duration::from_secs(60);
    config::Server {
        max_connections: total,
        max_connections_per_ip: each,
        handshakes_per_second_per_ip: 100,
        handshake_timeout: long,
        header_timeout: long,
        answer_timeout: long,
        idle_timeout: long,
        max_age: long,
        drain: long,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn level(full: Full) -> usize {
    full.network().unwrap().level()
}

/// Makes it long ago that this connection was of use.
fn age(spot: &Spot, milliseconds: u64) {
    spot.life.used_at.store(milliseconds, Ordering::Relaxed);
}

/// A crowd that has been there for a while.
fn crowd(total: usize, each: usize) -> Crowd {
    let start = Instant::now().checked_sub(Duration::from_secs(100));
    Crowd {
        start: start.unwrap(),
        ..Crowd::new(&config(total, each))
    }
}

fn is_evicted(spot: &Spot) -> bool {
    spot.life.evicted.load(Ordering::Relaxed)
}

#[test]
fn where_all_is_full_the_most_useless_goes_and_not_who_comes() {
    let crowd = crowd(160, 40);
    let mut held = Vec::new();
    for n in 0..150u32 {
        let spot = crowd.admit(ip(&format!("192.0.2.{}", n / 38))).unwrap();
        age(&spot, u64::from(1000 - n));
        held.push(spot);
    }
    held[149].worth().hold();
    let newcomer = crowd.admit(ip("192.0.2.3"));
    assert!(newcomer.is_ok());
    let evicted: Vec<_> = (0..150).filter(|n| is_evicted(&held[*n])).collect();
    assert_eq!(evicted, [148], "the last of those that carry no call");
    drop(held);
    drop(newcomer);
    let table = crowd.table();
    assert!(table.entries.is_empty() && table.connections.total() == 0);
}

#[test]
fn an_address_that_has_all_it_may_gives_up_its_own() {
    let crowd = crowd(1000, 4);
    let other = crowd.admit(ip("198.51.100.1")).unwrap();
    age(&other, 0);
    let held: Vec<_> = (0..4)
        .map(|_| crowd.admit(ip("192.0.2.1")).unwrap())
        .collect();
    held.iter()
        .zip([50, 40, 60, 70])
        .for_each(|(spot, at)| age(spot, at));
    let _newcomer = crowd.admit(ip("192.0.2.1")).unwrap();
    assert_eq!(held.iter().filter(|spot| is_evicted(spot)).count(), 1);
    assert!(is_evicted(&held[1]) && !is_evicted(&other));
}

#[test]
fn who_has_just_come_or_carries_a_call_stays() {
    let crowd = crowd(1000, 2);
    let first = crowd.admit(ip("192.0.2.1")).unwrap();
    let second = crowd.admit(ip("192.0.2.1")).unwrap();
    let call = first.worth().in_use();
    let full = crowd.admit(ip("192.0.2.1")).err().unwrap();
    assert_eq!(level(full), 0);
    drop(second);
    let second = crowd.admit(ip("192.0.2.1")).unwrap();
    age(&second, 0);
    assert!(crowd.admit(ip("192.0.2.1")).is_ok() && is_evicted(&second));
    drop(call);
    age(&first, 0);
    assert!(crowd.admit(ip("192.0.2.1")).is_ok());
}

#[test]
fn a_customers_networks_share_what_they_may_have() {
    let crowd = crowd(400, 100);
    let held: Vec<_> = (0..100)
        .map(|n| crowd.admit(ip(&format!("2001:db8:0:{n:x}::1"))).unwrap())
        .collect();
    assert_eq!(level(crowd.admit(ip("2001:db8:0:ff::1")).err().unwrap()), 1);
    assert_eq!(
        level(crowd.admit(ip("2001:db8:0:100::1")).err().unwrap()),
        2
    );
    assert!(crowd.admit(ip("2001:db8:1::1")).is_ok());
    drop(held);
}

#[test]
fn a_proxy_tells_whom_a_connection_is_counted_for() {
    let crowd = crowd(1000, 1);
    let first = crowd.admit(None).unwrap();
    let second = crowd.admit(None).unwrap();
    first.is_for(ip("192.0.2.1")).unwrap();
    assert!(second.is_for(ip("192.0.2.1")).is_err());
    second.is_for(ip("192.0.2.2")).unwrap();
    assert_eq!(crowd.table().connections.total(), 2);
}

#[test]
fn a_connection_of_a_proxy_needs_no_second_place() {
    let crowd = crowd(4, 4);
    let others: Vec<_> = (1..4)
        .map(|last| crowd.admit(ip(&format!("192.0.2.{last}"))).unwrap())
        .collect();
    let proxied = crowd.admit(None).unwrap();
    for spot in &others {
        age(spot, 0);
    }
    proxied.is_for(ip("198.51.100.1")).unwrap();
    assert!(!others.iter().any(is_evicted));
    assert_eq!(crowd.table().connections.total(), 4);
}

#[test]
fn answers_that_nobody_takes_are_bounded() {
    let crowd = crowd(1000, 10);
    let held: Vec<_> = (0..5)
        .map(|_| crowd.admit(ip("192.0.2.1")).unwrap())
        .collect();
    held.iter()
        .zip([50, 40, 60, 70, 80])
        .for_each(|(spot, at)| age(spot, at));
    for spot in &held[..4] {
        spot.set_answers(10);
    }
    assert!(!held.iter().any(is_evicted));
    held[4].set_answers(1);
    let evicted: Vec<_> = (0..5).filter(|n| is_evicted(&held[*n])).collect();
    assert_eq!(evicted, [1], "whose last request is the longest ago");
    held[4].set_answers(0);
    held[0].set_answers(0);
    drop(held);
    assert_eq!(crowd.table().answers.total(), 0);
}

#[test]
fn whoever_waits_for_a_socket_elsewhere_is_told_by_it() {
    let crowd = crowd(1000, 1);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = Arc::new(listener.accept().unwrap().0);
    let spot = crowd.admit(ip("192.0.2.1")).unwrap();
    spot.is_on(&near);
    age(&spot, 0);
    let _newcomer = crowd.admit(ip("192.0.2.1")).unwrap();
    let mut byte = [0];
    assert_eq!(std::io::Read::read(&mut &*near, &mut byte).unwrap(), 0);
    drop(far);
}
