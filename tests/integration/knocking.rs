//! Locked rooms: who knocks, who answers, and what a stranger learns meanwhile.

use serde_json::{Value, json};

use crate::access::{accept, by_invitation, command, cookie};
use crate::support::{Client, Server};

/// Ana, in a room that she has locked.
async fn behind_a_lock(server: &Server) -> Client {
    let mut ana = Client::join(server.https, "team", "Ana").await;
    ana.send(&json!({"type": "lock", "locked": true})).await;
    let locked = ana.expect("locked").await;
    assert_eq!(
        locked,
        json!({"type": "locked", "locked": true, "by": ana.id})
    );
    ana
}

impl Client {
    async fn knock(&mut self, name: &str) {
        let ticket = self.ticket.clone();
        self.send(&json!({"type": "join", "room": "team", "name": name, "ticket": ticket}))
            .await;
    }

    async fn answer(&mut self, verdict: &str, id: &Value) {
        self.send(&json!({"type": verdict, "id": id})).await;
    }
}

/// Somebody waits, knowing no more than that.
async fn waiting(server: &Server, name: &str) -> Client {
    let mut client = Client::connect(server.https).await;
    client.knock(name).await;
    assert_eq!(client.next().await, json!({"type": "knocking"}));
    client
}

#[tokio::test]
async fn a_newcomer_learns_who_is_inside_once_admitted() {
    let server = Server::start("");
    let mut ana = behind_a_lock(&server).await;
    let mut bo = waiting(&server, " Bo\n").await;
    let knock = ana.expect("knock").await["peer"].take();
    assert_eq!(knock["name"], "Bo");

    let data = json!({"candidate": null});
    bo.send(&json!({"type": "signal", "to": ana.id, "data": data}))
        .await;
    assert_eq!(bo.expect("error").await["code"], "not-joined");
    bo.answer("admit", &knock["id"]).await;
    assert_eq!(bo.expect("error").await["code"], "not-joined");
    ana.expect_nothing().await;

    ana.answer("admit", &knock["id"]).await;
    assert_eq!(ana.expect("knock-ended").await["id"], knock["id"]);
    assert_eq!(ana.expect("peer-joined").await["peer"], knock);
    let welcome = bo.expect("welcome").await;
    assert_eq!(
        (&welcome["id"], &welcome["locked"], &welcome["knocks"]),
        (&knock["id"], &json!(true), &json!([]))
    );
    assert_eq!(welcome["peers"], json!([{"id": ana.id, "name": "Ana"}]));
    let username = welcome["pc_config"]["iceServers"][1]["username"].as_str();
    assert!(username.is_some_and(|name| name.contains(':')), "{welcome}");
    bo.signal(&ana.id, json!("hello")).await;
    assert_eq!(ana.expect("signal").await["from"], knock["id"]);

    // Whoever was let in may come back.
    let (ticket, resume) = (bo.ticket.clone(), welcome["resume"].clone());
    drop(bo);
    let mut back = Client::connect_as(server.https, &ticket).await;
    let again = back.enter("team", "Bo", resume.as_str()).await;
    assert_eq!(
        (&again["resumed"], &again["locked"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn the_refused_are_told_and_those_inside_see_who_went_away() {
    let server = Server::start("");
    let mut ana = behind_a_lock(&server).await;
    let mut bo = waiting(&server, "Bo").await;
    let knock = ana.expect("knock").await["peer"]["id"].take();
    ana.answer("refuse", &knock).await;
    assert_eq!(ana.expect("knock-ended").await["id"], knock);
    assert_eq!(bo.expect("error").await["code"], "refused");
    bo.enter("elsewhere", "Bo", None).await;

    let cy = waiting(&server, "Cy").await;
    let knock = ana.expect("knock").await["peer"]["id"].take();
    drop(cy);
    assert_eq!(ana.expect("knock-ended").await["id"], knock);
    ana.answer("admit", &knock).await;
    ana.expect_nothing().await;
}

#[tokio::test]
async fn who_waits_comes_in_when_the_room_is_unlocked_and_not_when_it_is_left() {
    let server = Server::start("");
    let mut ana = behind_a_lock(&server).await;
    let mut bo = waiting(&server, "Bo").await;
    ana.expect("knock").await;
    ana.send(&json!({"type": "lock", "locked": false})).await;
    ana.expect("locked").await;
    assert_eq!(bo.expect("welcome").await["locked"], false);
    for kind in ["knock-ended", "peer-joined"] {
        ana.expect(kind).await;
    }
    bo.send(&json!({"type": "lock", "locked": true})).await;
    for client in [&mut ana, &mut bo] {
        client.expect("locked").await;
    }
    let mut cy = waiting(&server, "Cy").await;
    for mut client in [ana, bo] {
        client.expect("knock").await;
        client.send(&json!({"type": "leave"})).await;
        assert_eq!(client.close_code().await, 1000);
    }
    assert_eq!(cy.expect("error").await["code"], "room-closed");
    let welcome = cy.enter("team", "Cy", None).await;
    assert_eq!(
        (&welcome["peers"], &welcome["locked"]),
        (&json!([]), &json!(false))
    );
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let server = Server::start("[signaling]\nknock = \"1s\"\n");
    let mut ana = behind_a_lock(&server).await;
    let mut bo = waiting(&server, "Bo").await;
    let knock = ana.expect("knock").await["peer"]["id"].take();
    ana.answer("admit", &knock).await;
    bo.expect("welcome").await;
    for kind in ["knock-ended", "peer-joined"] {
        ana.expect(kind).await;
    }
    let mut cy = waiting(&server, "Cy").await;
    let knock = ana.expect("knock").await["peer"]["id"].take();
    assert_eq!(cy.close_code().await, 4008);
    assert_eq!(ana.expect("knock-ended").await["id"], knock);
    // Whose time would have been over before.
    for kind in ["knock", "knock-ended"] {
        bo.expect(kind).await;
    }
    bo.expect_nothing().await;
}

#[tokio::test]
async fn an_address_knocks_so_often_and_no_more() {
    let server = Server::start("");
    let mut ana = behind_a_lock(&server).await;
    let mut bo = Client::connect(server.https).await;
    let mut refused = 0;
    let code = loop {
        bo.knock("Bo").await;
        let answer = bo.next().await;
        if answer["type"] == "error" {
            break answer["code"].clone();
        }
        let knock = ana.expect("knock").await["peer"]["id"].take();
        ana.answer("refuse", &knock).await;
        ana.expect("knock-ended").await;
        assert_eq!(bo.expect("error").await["code"], "refused");
        refused += 1;
        assert!(refused < 100);
    };
    assert_eq!(code, "too-many-knocks");
    assert!(refused >= 10, "{refused}: a clumsy person is not shut out");
    ana.expect_nothing().await;
    // Nor does a seat of long ago help.
    let mut cy = Client::join(server.https, "elsewhere", "Cy").await;
    let ticket = json!({"type": "join", "room": "team", "name": "Cy", "ticket": cy.ticket, "resume": cy.resume});
    cy.send(&json!({"type": "leave"})).await;
    let mut again = Client::connect_as(server.https, &cy.ticket).await;
    again.send(&ticket).await;
    assert_eq!(again.expect("error").await["code"], "too-many-knocks");
}

#[tokio::test]
async fn the_lock_comes_back_after_a_restart() {
    let server = Server::start("");
    let ana = behind_a_lock(&server).await;
    let server = server.restart();
    let mut back = Client::connect_as(server.https, &ana.ticket).await;
    let join = json!({"type": "join", "room": "team", "name": "Ana", "ticket": ana.ticket, "resume": ana.resume,
        "locked": true});
    back.send(&join).await;
    let welcome = back.expect("welcome").await;
    assert_eq!(
        (&welcome["resumed"], &welcome["locked"]),
        (&json!(true), &json!(true))
    );
    let _bo = waiting(&server, "Bo").await;
    back.expect("knock").await;
}

#[tokio::test]
async fn when_everything_is_revoked_nobody_slips_in() {
    let server = by_invitation();
    let link = command(server.dir.path(), &["invite", "--room", "team"], "");
    let cookie = cookie(&accept(&server, &link, &[]).await);
    let [mut ana, mut bo] = [
        Client::connect_with(server.https, &[("Cookie", &cookie)]).await,
        Client::connect_with(server.https, &[("Cookie", &cookie)]).await,
    ];
    ana.enter("team", "Ana", None).await;
    ana.send(&json!({"type": "lock", "locked": true})).await;
    ana.expect("locked").await;
    bo.knock("Bo").await;
    bo.expect("knocking").await;
    ana.expect("knock").await;
    command(server.dir.path(), &["revoke-all"], "");
    assert_eq!(bo.next_or_close().await, Err(4007), "and no welcome before");
    assert_eq!(ana.close_code().await, 4007);
}
