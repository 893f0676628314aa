//! Tokens that were given for something else, invitations that are used again, and a crowd at the door while a call goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::run;
use crate::support::http::Response;
use crate::support::{Client, Server, json_of, post, program, request};

const PAGE: (&str, &str) = ("Accept", "text/html");

fn by_invitation() -> Server {
    Server::start("[access]\nmode = \"invite\"\n")
}

/// Where a link into this room leads.
fn invitation(dir: &Path, room: &str, more: &[&str]) -> String {
    let invite = ["access", "invite", "--room", room];
    let output = run(dir, &[&invite, more].concat());
    let link = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = link.trim().split_once("/access/").unwrap();
    format!("/access/{rest}")
}

fn cookie(response: &Response) -> String {
    let text = response.header("set-cookie").split(';').next();
    text.unwrap().to_owned()
}

/// Somebody who was invited to this room: the cookie.
async fn invited(server: &Server, room: &str) -> String {
    let path = invitation(server.dir.path(), room, &[]);
    let entered = post(server.https, &path, &[], "").await;
    assert_eq!(entered.status, 303);
    cookie(&entered)
}

async fn joined(server: &Server, room: &str, name: &str, cookie: &str) -> Client {
    let mut client = Client::connect_with(server.https, &[("Cookie", cookie)]).await;
    client.enter(room, name, None).await;
    client
}

#[tokio::test]
async fn what_was_given_for_one_room_opens_no_other() {
    let server = by_invitation();
    let (red, blue) = (
        invited(&server, "red").await,
        invited(&server, "blue").await,
    );
    let mut ana = joined(&server, "red", "Ana", &red).await;
    let mut bo = joined(&server, "blue", "Bo", &blue).await;

    // Bo's cookie with whatever of Ana's he may have come by: her ticket, her seat's, both.
    let mut thief = Client::connect_with(server.https, &[("Cookie", &blue)]).await;
    let own = [thief.ticket.clone(), bo.ticket.clone(), bo.resume.clone()];
    let [thiefs_ticket, bos_ticket, bos_resume] = &own;
    for (ticket, resume) in [
        (thiefs_ticket, None),
        (&ana.ticket, None),
        (thiefs_ticket, Some(&ana.resume)),
        (&ana.ticket, Some(&ana.resume)),
    ] {
        let mut join = json!({"type": "join", "room": "red", "name": "Ana", "ticket": ticket});
        if let Some(resume) = resume {
            join["resume"] = json!(resume);
        }
        thief.send(&join).await;
        assert_eq!(thief.expect("error").await["code"], "not-invited");
    }
    // In his own room her seat is none.
    for (ticket, resume) in [
        (&ana.ticket, &ana.resume),
        (bos_ticket, &ana.resume),
        (&ana.ticket, bos_resume),
    ] {
        let mut other = Client::connect_with(server.https, &[("Cookie", &blue)]).await;
        other.ticket.clone_from(ticket);
        let welcome = other.enter("blue", "Ana", Some(resume)).await;
        assert_eq!(welcome["resumed"], false);
        assert!(welcome["id"] != json!(ana.id) && welcome["id"] != json!(bo.id));
        bo.expect("peer-joined").await;
        other.send(&json!({"type": "leave"})).await;
        bo.expect("peer-left").await;
    }
    // One kind of token in the place of another.
    let link = invitation(server.dir.path(), "red", &[]);
    let token = link.rsplit('/').next().unwrap();
    let session = red.split_once('=').unwrap().1.to_owned();
    for wrong in [token, &ana.ticket, &ana.resume] {
        let cookie = format!("__Host-callbox={wrong}");
        let page = request(server.https, "/r/red", &[("Cookie", &cookie), PAGE]).await;
        assert_eq!(page.status, 403, "{wrong}");
    }
    for wrong in [session.as_str(), &ana.ticket, &ana.resume] {
        let path = format!("/access/i/{wrong}");
        let entered = post(server.https, &path, &[], "").await;
        assert_eq!((entered.status, entered.header("set-cookie")), (403, ""));
    }
    for wrong in [token, &session, &ana.resume] {
        thief
            .send(&json!({"type": "join", "room": "blue", "ticket": wrong}))
            .await;
        assert_eq!(thief.expect("error").await["code"], "bad-ticket");
    }
    // The other server's are none here.
    let elsewhere = by_invitation();
    let foreign = invited(&elsewhere, "red").await;
    let page = request(server.https, "/r/red", &[("Cookie", &foreign), PAGE]).await;
    assert_eq!(page.status, 403);
    ana.expect_nothing().await;
    bo.expect_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_use_an_invitation_for_one_at_once_one_gets_in() {
    let server = by_invitation();
    for uses in [1, 3] {
        let path = invitation(server.dir.path(), "team", &["--uses", &uses.to_string()]);
        let all = (0..20).map(|_| post(server.https, &path, &[], ""));
        let answers = join_all(all).await;
        let (inside, outside): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == 303);
        assert_eq!(inside.len(), uses);
        for answer in outside {
            assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
            assert!(answer.text().contains("has been used already"));
        }
        for answer in inside {
            let own = cookie(answer);
            let page = request(server.https, "/r/team", &[("Cookie", &own), PAGE]).await;
            assert_eq!(page.status, 200);
        }
        // Written another way, it is the same one, or none.
        for again in [
            path.clone(),
            format!("{path}?"),
            format!("{path}="),
            path.replace('.', "%2e"),
            path.to_uppercase().replacen("/ACCESS/I/", "/access/i/", 1),
        ] {
            let answer = post(server.https, &again, &[], "").await;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_leaves_a_call_its_pace_and_memory_its_bound() {
    const PASSWORD: &str = "correct horse";
    let dir = tempfile::tempdir().unwrap();
    let hash = {
        let mut child = program()
            .args(["access", "hash"])
            .current_dir(dir.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, PASSWORD.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    // Each is from an address of its own, so that what is left to hold them is how many are hashed at once.
    let server = Server::start(&format!(
        "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[access]\nmode = \"password\"\npassword_hash = \"{hash}\"\n"
    ));
    let right = post(
        server.https,
        "/access/login",
        &[],
        &format!("password={}", PASSWORD.replace(' ', "+")),
    )
    .await;
    let own = cookie(&right);
    let mut ana = joined(&server, "a", "Ana", &own).await;
    let mut bo = joined(&server, "a", "Bo", &own).await;
    ana.expect("peer-joined").await;

    let address = server.https;
    let before = server.resident();
    let begun = Instant::now();
    let crowd: Vec<_> = (0..120)
        .map(|n| {
            tokio::spawn(async move {
                let from = format!("203.0.113.{n}");
                let headers = [
                    ("X-Forwarded-For", from.as_str()),
                    ("X-Forwarded-Proto", "https"),
                ];
                post(address, "/access/login", &headers, "password=a+guess")
                    .await
                    .status
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    let mut most = 0;
    let mut rounds = 0;
    while !crowd.iter().all(tokio::task::JoinHandle::is_finished) {
        let asked = Instant::now();
        ana.signal(&bo.id, json!(rounds)).await;
        assert_eq!(bo.expect("signal").await["data"]["candidate"], rounds);
        slowest = slowest.max(asked.elapsed());
        most = most.max(server.resident());
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let flood = begun.elapsed();
    let mut statuses = Vec::new();
    for one in crowd {
        statuses.push(one.await.unwrap());
    }
    // Some were hashed and found wrong, the others were told to come again.
    assert!(statuses.contains(&403), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [403, 503].contains(status)),
        "{statuses:?}"
    );
    assert!(rounds > 5, "the call went on meanwhile: {rounds}");
    // Hashing all of them one after the other takes the time of the flood.
    assert!(slowest < flood / 2, "{slowest:?} of {flood:?}");
    let grown = most.saturating_sub(before);
    // Two hashes at a time of 19 MiB each, and connections.
    assert!(grown < 96 << 20, "{grown} bytes more");
    // Tickets are still given, and a newcomer with the right cookie gets in.
    let script = request(address, "/config.js", &[("Cookie", &own)]).await;
    assert!(json_of(script.text(), "SETTINGS")["ticket"].is_string());
    joined(&server, "a", "Cy", &own).await;
    ana.expect("peer-joined").await;
}
