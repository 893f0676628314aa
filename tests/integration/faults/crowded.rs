//! Many connections that are of no use. They go when there is no room for others.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;

use crate::support::{Client, PATIENCE, Server, get};

/// Longer than what has just come is left alone.
const GRACE: Duration = Duration::from_millis(2500);
/// The same of a WebSocket that is in no room.
const TO_JOIN: Duration = Duration::from_millis(5500);

async fn silent(server: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(TcpStream::connect(server).await.unwrap());
    }
    streams
}

/// How many of them the server has closed.
async fn closed(streams: &mut [TcpStream]) -> usize {
    let mut count = 0;
    for stream in streams {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(5), stream.read(&mut byte)).await;
        count += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    count
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let server = Server::start("[server]\nmax_connections = 40\nmax_connections_per_ip = 40\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    let mut streams = silent(server.https, 60).await;
    tokio::time::sleep(GRACE).await;
    assert!(closed(&mut streams).await >= 60 - 40);
    // Page, settings and WebSocket of somebody who comes.
    assert_eq!(get(server.https, "/").await.status, 200);
    let mut cy = Client::join(server.https, "a", "Cy").await;
    ana.expect("peer-joined").await;
    bo.expect("peer-joined").await;
    cy.expect_nothing().await;
    let freed = async {
        while closed(&mut streams).await < 60 - 10 {
            assert_eq!(get(server.https, "/healthz").await.status, 200);
        }
    };
    timeout(3 * PATIENCE, freed).await.unwrap();
    // Whoever is in a call was not disturbed.
    ana.expect_nothing().await;
    bo.expect_nothing().await;
}

/// The status with which a WebSocket is refused.
async fn refused(server: SocketAddr) -> u16 {
    match Client::try_open(server, None).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("not refused but {other:?}"),
    }
}

#[tokio::test]
async fn websockets_in_no_room_make_way_for_those_who_join() {
    let server = Server::start("[signaling]\nmax_connections_per_ip = 4\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    let mut first = Client::connect(server.https).await;
    let mut second = Client::connect(server.https).await;
    // Who has just come stays.
    let ticket = first.ticket.clone();
    assert_eq!(refused(server.https).await, 429);
    tokio::time::sleep(TO_JOIN).await;
    let mut cy = Client::connect_as(server.https, &ticket).await;
    cy.enter("a", "Cy", None).await;
    assert_eq!(first.close_code().await, 4006);
    ana.expect("peer-joined").await;
    bo.expect("peer-joined").await;
    let mut dan = Client::join(server.https, "a", "Dan").await;
    assert_eq!(second.close_code().await, 4006);
    cy.expect("peer-joined").await;
    ana.expect("peer-joined").await;
    bo.expect("peer-joined").await;
    // Nobody is of no use now, however long it lasts.
    tokio::time::sleep(TO_JOIN).await;
    assert_eq!(refused(server.https).await, 429);
    for client in [&mut ana, &mut bo, &mut cy, &mut dan] {
        client.expect_nothing().await;
    }
}

/// A room of one makes way after a minute, and whoever was in it waits until there is a place.
#[tokio::test]
async fn who_has_been_alone_longest_makes_way() {
    let server = Server::start("[signaling]\nmax_rooms_per_ip = 2\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let _call = (
        Client::join(server.https, "b", "Bo").await,
        Client::join(server.https, "b", "Cy").await,
    );
    let ticket = ana.ticket.clone();
    let begin = Instant::now();
    let join = |client: &Client, room: &str, resume: Option<&str>| {
        let mut join = json!({"type": "join", "room": room, "name": "x", "ticket": client.ticket});
        if let Some(resume) = resume {
            join["resume"] = json!(resume);
        }
        join
    };
    let mut dan = loop {
        let mut dan = Client::connect_as(server.https, &ticket).await;
        dan.send(&join(&dan, "d", None)).await;
        let said = dan.next().await;
        if said["type"] == "welcome" {
            break dan;
        }
        assert_eq!(said["code"], "too-many-rooms");
        assert!(begin.elapsed() < Duration::from_secs(120), "nobody goes");
        // Something has to be heard of her all the time.
        ana.send(&json!({"type": "ping"})).await;
        ana.expect("pong").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    assert!(begin.elapsed() > Duration::from_secs(50));
    assert_eq!(ana.close_code().await, 4009);
    let mut back = Client::connect_as(server.https, &ana.ticket).await;
    let resume = ana.resume.clone();
    back.send(&join(&back, "a", Some(&resume))).await;
    assert_eq!(back.expect("error").await["code"], "too-many-rooms");
    dan.send(&json!({"type": "leave"})).await;
    assert_eq!(dan.close_code().await, 1000);
    back.send(&join(&back, "a", Some(&resume))).await;
    assert_eq!(back.expect("welcome").await["resumed"], false);
}

#[tokio::test]
async fn who_finds_no_seat_costs_the_neighbours_none() {
    let config = "[signaling]\nmax_connections_per_ip = 4\nmax_peers = 2\n";
    let server = Server::start(config);
    let _full = (
        Client::join(server.https, "full", "Ana").await,
        Client::join(server.https, "full", "Bo").await,
    );
    let mut cy = Client::connect(server.https).await;
    // More often than the address may take new seats.
    for _ in 0..12 {
        let ticket = &cy.ticket;
        cy.send(&json!({"type": "join", "room": "full", "name": "Cy", "ticket": ticket}))
            .await;
        assert_eq!(cy.expect("error").await["code"], "room-full");
    }
    cy.enter("other", "Cy", None).await;
}
