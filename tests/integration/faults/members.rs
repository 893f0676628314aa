//! What one member sends, however much and fast, costs the others neither their connections nor their seats, and it is the
//! sender who pays.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Server};

impl Client {
    /// All of these in one write.
    async fn send_at_once(&mut self, messages: impl IntoIterator<Item = Value>) {
        for message in messages {
            let text = Message::text(message.to_string());
            // The server may have had enough of it.
            if self.socket.feed(text).await.is_err() {
                break;
            }
        }
        let _ = self.socket.flush().await;
    }

    /// What comes up to a signal from `friend` that says `last`.
    async fn until(&mut self, friend: &str, last: u32) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let message = self.next().await;
            let signal = message["from"] == friend && message["data"]["candidate"] == last;
            heard.push(message);
            if signal {
                return heard;
            }
        }
    }

    /// Takes what comes up to the answer to a ping: how many errors of this code.
    async fn errors(&mut self, code: &str) -> usize {
        self.send(&json!({"type": "ping"})).await;
        let mut count = 0;
        loop {
            let message = self.next().await;
            match message["type"].as_str() {
                Some("pong") => return count,
                Some("error") => assert_eq!(message["code"], code),
                _ => continue,
            }
            count += 1;
        }
    }
}

fn signal(to: &str, value: &Value) -> Value {
    json!({"type": "signal", "to": to, "data": {"candidate": value}})
}

fn lock(locked: bool) -> Value {
    json!({"type": "lock", "locked": locked})
}

/// Ana, her friend Bo, and Mal, who mean no good.
async fn three(server: &Server) -> [Client; 3] {
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    let mal = Client::join(server.https, "a", "Mal").await;
    for _ in 0..2 {
        ana.expect("peer-joined").await;
    }
    bo.expect("peer-joined").await;
    [ana, bo, mal]
}

/// What Bo said to Ana, in this order.
fn said(heard: &[Value], bo: &str) -> Vec<u64> {
    let from = heard.iter().filter(|message| message["from"] == bo);
    from.map(|message| message["data"]["candidate"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signals_is_at_its_senders_expense() {
    let server = Server::start("");
    let [mut ana, mut bo, mut mal] = Box::pin(three(&server)).await;
    let ana_id = ana.id.clone();
    let big = json!("x".repeat(8000));
    let flood = |count| (0..count).map(|_| signal(&ana_id, &big));
    mal.send_at_once(flood(298)).await;
    for number in 0..50 {
        bo.signal(&ana.id, json!(number)).await;
    }
    let heard = ana.until(&bo.id, 49).await;
    assert_eq!(said(&heard, &bo.id), (0..50).collect::<Vec<_>>());
    // Whoever goes on is closed.
    mal.send_at_once(flood(600)).await;
    assert_eq!(mal.close_code().await, 4003);
    bo.signal(&ana.id, json!(50)).await;
    let heard = ana.until(&bo.id, 50).await;
    assert_eq!(said(&heard, &bo.id), [50]);
    bo.expect_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_turned_again_and_again_stands_still() {
    let server = Server::start("");
    let [mut ana, mut bo, mut mal] = Box::pin(three(&server)).await;
    mal.send_at_once((0..298).map(|n| lock(n % 2 == 0))).await;
    bo.signal(&ana.id, json!(0)).await;
    assert_eq!(mal.close_code().await, 4003);
    bo.signal(&ana.id, json!(1)).await;
    let heard = ana.until(&bo.id, 1).await;
    assert_eq!(said(&heard, &bo.id), [0, 1]);
    let locked = heard.iter().filter(|message| message["type"] == "locked");
    assert!((1..=9).contains(&locked.count()), "a few a minute");

    // Nor does another connection of the same visitor help; others may.
    let mut again = Client::connect_as(server.https, &mal.ticket).await;
    again.enter("a", "Mal", Some(&mal.resume)).await;
    again.send(&lock(true)).await;
    assert_eq!(again.errors("too-fast").await, 1);
    ana.send(&lock(true)).await;
    ana.send(&lock(false)).await;
    for locked in [true, false] {
        assert_eq!(ana.expect("locked").await["locked"], locked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_and_goes_again_and_again_costs_nobody_a_seat() {
    let server = Server::start("");
    let [ana, mut bo, mal] = Box::pin(three(&server)).await;
    let (id, ticket, resume) = (ana.id.clone(), ana.ticket.clone(), ana.resume.clone());
    drop(ana);
    for _ in 0..70 {
        let mut again = Client::connect_as(server.https, &mal.ticket).await;
        again.enter("a", "Mal", None).await;
        bo.expect("peer-joined").await;
        again.send(&json!({"type": "leave"})).await;
        assert_eq!(again.close_code().await, 1000);
        bo.expect("peer-left").await;
    }
    bo.signal(&id, json!("waits")).await;
    bo.expect_nothing().await;
    let mut back = Client::connect_as(server.https, &ticket).await;
    let welcome = back.enter("a", "Ana", Some(&resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(id), &json!(true))
    );
    for peer in [&bo, &mal] {
        assert_eq!(back.expect("peer-joined").await["peer"]["id"], peer.id);
    }
    assert_eq!(back.expect("signal").await["data"]["candidate"], "waits");
    back.expect_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_comes_in_so_often_and_no_more() {
    let server = Server::start("[signaling]\nmax_connections_per_ip = 4\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut entered = 1;
    let code = loop {
        let mut bo = Client::connect_as(server.https, &ana.ticket).await;
        let ticket = bo.ticket.clone();
        bo.send(&json!({"type": "join", "room": "a", "name": "Bo", "ticket": ticket}))
            .await;
        let answer = bo.next().await;
        if answer["type"] == "error" {
            break answer["code"].clone();
        }
        entered += 1;
        assert!(entered < 100);
        ana.expect("peer-joined").await;
        bo.send(&json!({"type": "leave"})).await;
        assert_eq!(bo.close_code().await, 1000);
        ana.expect("peer-left").await;
    };
    assert_eq!(code, "too-fast");
    assert!(entered >= 8, "{entered}");
    // Whoever has a seat comes back to it.
    let (ticket, resume) = (ana.ticket.clone(), ana.resume.clone());
    drop(ana);
    let mut back = Client::connect_as(server.https, &ticket).await;
    assert_eq!(back.enter("a", "Ana", Some(&resume)).await["resumed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_too_much_to_somebody_absent_begins_anew_with_them_alone() {
    let server = Server::start("");
    let [ana, mut bo, mut mal] = Box::pin(three(&server)).await;
    let id = ana.id.clone();
    let (ticket, resume) = (ana.ticket.clone(), ana.resume.clone());
    drop(ana);
    bo.expect_nothing().await;
    // Bo's page does what pages do.
    let offer = json!("o".repeat(30_000));
    for _ in 0..6 {
        bo.signal(&id, offer.clone()).await;
        for number in 0..30 {
            bo.signal(&id, json!(number)).await;
        }
        bo.expect_nothing().await;
    }
    let big = json!("x".repeat(60_000));
    for _ in 0..5 {
        mal.signal(&id, big.clone()).await;
    }
    assert_eq!(mal.errors("too-fast").await, 1);
    bo.expect_nothing().await;

    let mut back = Client::connect_as(server.https, &ticket).await;
    let join =
        json!({"type": "join", "room": "a", "name": "Ana", "ticket": ticket, "resume": resume});
    back.send(&join).await;
    assert_eq!(back.expect("peer-left").await["id"], mal.id);
    let welcome = back.expect("welcome").await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(welcome["peers"].as_array().unwrap().len(), 2);
    assert_eq!(back.expect("peer-joined").await["peer"]["id"], bo.id);
    for _ in 0..6 {
        assert_eq!(back.expect("signal").await["data"]["candidate"], offer);
        for number in 0..30 {
            assert_eq!(back.expect("signal").await["data"]["candidate"], number);
        }
    }
    back.expect_nothing().await;
    bo.expect_nothing().await;
    // Mal offers.
    assert_eq!(mal.expect("peer-left").await["id"], json!(id));
    assert_eq!(mal.expect("peer-joined").await["peer"]["id"], json!(id));
    mal.signal(&id, json!("anew")).await;
    assert_eq!(back.expect("signal").await["data"]["candidate"], "anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_room_says_at_once_arrives_whole() {
    let server = Server::start("");
    let mut all = Vec::new();
    for number in 0..7 {
        all.push(Client::join(server.https, "a", &number.to_string()).await);
    }
    let mut newcomer = Client::join(server.https, "a", "Newcomer").await;
    // Each offers to the newcomer, who answers, with all their candidates.
    let description = json!("d".repeat(30_000));
    let burst = |to: &str| {
        let mut messages = vec![signal(to, &description)];
        messages.extend((0..40).map(|n| signal(to, &json!(format!("{n:200}")))));
        messages
    };
    for client in &mut all {
        client.send_at_once(burst(&newcomer.id)).await;
    }
    let mut heard = 0;
    while heard < 7 * 41 {
        let message = newcomer.next().await;
        assert_eq!(message["type"], "signal", "{message}");
        heard += 1;
    }
    let answers: Vec<_> = all.iter().flat_map(|client| burst(&client.id)).collect();
    newcomer.send_at_once(answers).await;
    for client in &mut all {
        let mut heard = 0;
        while heard < 41 {
            heard += usize::from(client.next().await["type"] == "signal");
        }
    }
    newcomer.expect_nothing().await;
}
