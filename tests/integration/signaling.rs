//! The protocol of docs/signaling.md, over WebSockets.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Server};

#[tokio::test]
async fn two_meet_talk_and_part() {
    let server = Server::start("");
    let mut ana = Client::connect(server.https).await;
    let welcome = ana.enter("Blue-Otter", "Ana", None).await;
    assert_eq!(welcome["peers"], json!([]));
    assert_eq!(welcome["resumed"], false);
    let ice = &welcome["pc_config"]["iceServers"];
    assert_eq!(ice[0]["urls"][0], format!("stun:{}", server.turn));
    assert_eq!(
        ice[1]["urls"][0],
        format!("turn:{}?transport=udp", server.turn)
    );

    let mut bo = Client::connect(server.https).await;
    let welcome = bo.enter("blue-otter", " Bo\n", None).await;
    assert_eq!(welcome["peers"], json!([{"id": ana.id, "name": "Ana"}]));
    assert_eq!(
        ana.expect("peer-joined").await["peer"],
        json!({"id": bo.id, "name": "Bo"})
    );

    let data = json!({"description": {"type": "offer", "sdp": "v=0\r\n"}});
    ana.send(&json!({"type": "signal", "to": bo.id, "data": data}))
        .await;
    let signal = bo.expect("signal").await;
    assert_eq!((&signal["from"], &signal["data"]), (&json!(ana.id), &data));

    bo.send(&json!({"type": "leave"})).await;
    assert_eq!(bo.close_code().await, 1000);
    assert_eq!(ana.expect("peer-left").await["id"], json!(bo.id));
}

#[tokio::test]
async fn names_can_be_seen_and_people_told_apart() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    for (typed, name, number) in [
        ("\u{2800}\u{202e}Ana\u{200b} (7)", "Ana", json!(2)),
        // In Cyrillic letters.
        ("\u{410}n\u{430}", "\u{410}n\u{430}", json!(3)),
        ("\u{3164}", "", json!(null)),
        ("\u{2060}", "", json!(2)),
        (
            "Bo\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}",
            "B\u{f2}\u{301}\u{302}\u{303}\u{304}",
            json!(null),
        ),
    ] {
        let _bo = Client::join(server.https, "a", typed).await;
        let peer = ana.expect("peer-joined").await["peer"].take();
        assert_eq!(
            (&peer["name"], &peer["number"]),
            (&json!(name), &number),
            "{typed:?}"
        );
    }
}

#[tokio::test]
async fn closing_with_1000_or_1001_frees_the_seat_at_once() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    for code in [1000u16, 1001] {
        let mut bo = Client::join(server.https, "a", "Bo").await;
        ana.expect("peer-joined").await;
        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        bo.socket.close(Some(frame)).await.unwrap();
        assert_eq!(bo.close_code().await, code, "the close frame is answered");
        assert_eq!(ana.expect("peer-left").await["id"], json!(bo.id), "{code}");
    }
}

#[tokio::test]
async fn a_page_that_was_frozen_keeps_its_seat_when_its_browser_closes_with_1001() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    bo.send(&json!({"type": "freeze"})).await;
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 1001.into(),
        reason: "".into(),
    };
    bo.socket.close(Some(frame)).await.unwrap();
    ana.expect_nothing().await;
    let mut back = Client::connect_as(server.https, &bo.ticket).await;
    let welcome = back.enter("a", "Bo", Some(&bo.resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(bo.id), &json!(true))
    );
}

#[tokio::test]
async fn a_lost_connection_keeps_the_seat_and_what_is_sent_to_it() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    let (id, ticket, resume) = (bo.id.clone(), bo.ticket.clone(), bo.resume.clone());
    drop(bo);
    ana.expect_nothing().await;
    ana.signal(&id, json!("while away")).await;
    ana.expect_nothing().await;

    let mut back = Client::connect_as(server.https, &ticket).await;
    let welcome = back.enter("a", "Bo", Some(&resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(welcome["peers"][0]["id"], json!(ana.id));
    assert_eq!(
        back.expect("signal").await["data"]["candidate"],
        "while away"
    );
    ana.expect_nothing().await;
}

#[tokio::test]
async fn a_seat_is_freed_when_nobody_comes_back() {
    let server = Server::start("[signaling]\nresume = \"1s\"\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    let id = bo.id.clone();
    drop(bo);
    assert_eq!(ana.expect("peer-left").await["id"], json!(id));
}

#[tokio::test]
async fn a_resume_displaces_the_old_connection() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let (ticket, resume) = (ana.ticket.clone(), ana.resume.clone());
    let mut again = Client::connect_as(server.https, &ticket).await;
    let welcome = again.enter("a", "Ana", Some(&resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(ana.id), &json!(true))
    );
    assert_eq!(ana.close_code().await, 4001);
}

#[tokio::test]
async fn resume_tickets_hold_over_a_restart() {
    let server = Server::start("");
    let ana = Client::join(server.https, "a", "Ana").await;
    let bo = Client::join(server.https, "a", "Bo").await;
    let server = server.restart();
    let mut back = Client::connect_as(server.https, &bo.ticket).await;
    let welcome = back.enter("a", "Bo", Some(&bo.resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(bo.id), &json!(true))
    );
    assert_eq!(welcome["peers"], json!([]), "the first one back");
    let mut other = Client::connect_as(server.https, &ana.ticket).await;
    let welcome = other.enter("a", "Ana", Some(&ana.resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(ana.id), &json!(true))
    );
    assert_eq!(
        back.expect("peer-joined").await["peer"]["id"],
        json!(ana.id)
    );
}

#[tokio::test]
async fn a_full_room_refuses_and_the_connection_stays_usable() {
    let server = Server::start("[signaling]\nmax_peers = 2\n");
    let _ana = Client::join(server.https, "a", "Ana").await;
    let _bo = Client::join(server.https, "a", "Bo").await;
    let mut cy = Client::connect(server.https).await;
    let ticket = cy.ticket.clone();
    cy.send(&json!({"type": "join", "room": "a", "name": "Cy", "ticket": ticket}))
        .await;
    assert_eq!(cy.expect("error").await["code"], "room-full");
    cy.enter("b", "Cy", None).await;
    cy.send(&json!({"type": "join", "room": "c", "name": "Cy", "ticket": ticket}))
        .await;
    assert_eq!(cy.expect("error").await["code"], "already-joined");
}

#[tokio::test]
async fn rooms_per_address_are_bounded() {
    let server = Server::start("[signaling]\nmax_rooms_per_ip = 2\n");
    let _a = Client::join(server.https, "a", "").await;
    let _b = Client::join(server.https, "b", "").await;
    let mut c = Client::connect(server.https).await;
    let ticket = c.ticket.clone();
    c.send(&json!({"type": "join", "room": "c", "ticket": ticket}))
        .await;
    assert_eq!(c.expect("error").await["code"], "too-many-rooms");
    c.enter("a", "", None).await;
}

#[tokio::test]
async fn fresh_credentials_come_before_the_old_ones_end() {
    let server = Server::start("[turn]\ncredential_ttl = \"10s\"\n");
    let mut ana = Client::connect(server.https).await;
    let welcome = ana.enter("a", "Ana", None).await;
    let expiry = |message: &serde_json::Value| {
        let username = message["pc_config"]["iceServers"][1]["username"]
            .as_str()
            .unwrap();
        username.split_once(':').unwrap().0.parse::<u64>().unwrap()
    };
    let first = expiry(&welcome);
    let second = expiry(&ana.expect("pc-config").await);
    assert!((5..=7).contains(&(second - first)), "{first} {second}");
    assert!(expiry(&ana.expect("pc-config").await) > second, "and again");
}

#[tokio::test]
async fn the_server_pings() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let ping = async { while !matches!(ana.socket.next().await, Some(Ok(Message::Ping(_)))) {} };
    timeout(Duration::from_secs(25), ping)
        .await
        .expect("a ping within 20 seconds");
}

#[tokio::test]
async fn whoever_joins_no_room_is_let_go() {
    let server = Server::start("");
    let mut idle = Client::connect(server.https).await;
    assert_eq!(idle.close_code().await, 4006);
}

#[tokio::test]
async fn whoever_falls_silent_is_let_go_and_keeps_the_seat_for_a_while() {
    let server = Server::start("[signaling]\nresume = \"2s\"\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    // Ana reads, so that her pings are answered; Bo does not.
    let left = async {
        loop {
            if let Some(Ok(Message::Text(text))) = ana.socket.next().await {
                break text;
            }
        }
    };
    let text = timeout(Duration::from_secs(55), left)
        .await
        .expect("Bo's seat is freed");
    assert!(
        text.contains("peer-left") && text.contains(&bo.id),
        "{text}"
    );
}
