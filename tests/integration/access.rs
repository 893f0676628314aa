//! Who may call: passwords and invitations.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::support::http::Response;
use crate::support::{Client, Server, get, json_of, post, program, request};

const PASSWORD: &str = "correct horse";

/// What `callbox access …` prints, run beside the server.
pub(crate) fn command(dir: &std::path::Path, arguments: &[&str], input: &str) -> String {
    let mut child = program()
        .args(["--config", "callbox.toml", "access"])
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn with_password(more: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("callbox.toml"), "").unwrap();
    let hash = command(dir.path(), &["hash"], &format!("{PASSWORD}\n"));
    Server::start(&format!(
        "[access]\nmode = \"password\"\npassword_hash = \"{hash}\"\n{more}"
    ))
}

pub(crate) fn by_invitation() -> Server {
    Server::start("[access]\nmode = \"invite\"\n")
}

/// `name=value` of the cookie that an answer sets.
pub(crate) fn cookie(response: &Response) -> String {
    let cookie = response.header("set-cookie");
    for wanted in [
        "__Host-callbox=",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
    ] {
        assert!(cookie.contains(wanted), "{wanted}: {}", response.head);
    }
    cookie.split(';').next().unwrap().to_owned()
}

const PAGE: (&str, &str) = ("Accept", "text/html");

/// Without a pass there is a page for people, and nothing else.
async fn is_shut(server: &Server) {
    for path in [
        "/",
        "/r/team",
        "/r/other",
        "/index.html",
        "/call.js",
        "/check",
        "/nothing",
    ] {
        let response = request(server.https, path, &[PAGE]).await;
        assert_eq!(response.status, 403, "{path}");
        assert!(!response.text().contains("lobby"), "{path}");
        // Else the form's origin would be "null".
        assert_eq!(response.header("referrer-policy"), "same-origin");
    }
    let [first, second] =
        ["/r/team", "/r/missing"].map(|path| request(server.https, path, &[PAGE]));
    let (first, second) = (first.await, second.await);
    let neutral = |response: &Response| response.text().replace("missing", "team");
    assert_eq!(neutral(&first), neutral(&second), "rooms do not differ");
    for path in [
        "/config.js",
        "/config.js?check",
        "/config.global.js",
        "/qr.svg?room=team",
    ] {
        let response = get(server.https, path).await;
        assert_eq!(response.status, 403, "{path}");
        assert!(!response.text().contains("credential"), "{path}");
    }
    let refused = Client::try_open_with(server.https, &[]).await.unwrap_err();
    let Error::Http(response) = refused else {
        panic!("{refused}");
    };
    assert_eq!(response.status(), 403);
    assert_eq!(
        get(server.https, "/healthz").await.status,
        200,
        "for those who watch"
    );
    let style = get(server.https, "/access/style.css").await;
    assert!(style.head.contains("text/css"), "{}", style.head);
}

#[tokio::test]
async fn the_password_opens_everything_and_nothing_else_does() {
    let server = with_password("");
    is_shut(&server).await;
    let page = request(server.https, "/r/team?name=Ana", &[PAGE]).await;
    assert!(
        page.text().contains("value=\"/r/team?name=Ana\""),
        "{}",
        page.text()
    );

    let wrong = post(
        server.https,
        "/access/login",
        &[],
        "password=wrong&next=/r/team",
    )
    .await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, ""));
    assert!(wrong.text().contains("This is not the password."));

    let form = "password=correct+horse&next=%2Fr%2Fteam";
    let right = post(server.https, "/access/login", &[], form).await;
    assert_eq!((right.status, right.header("location")), (303, "/r/team"));
    let cookie = cookie(&right);
    let with = [("Cookie", cookie.as_str()), PAGE];
    for path in ["/", "/r/team", "/r/other", "/config.js"] {
        assert_eq!(
            request(server.https, path, &with).await.status,
            200,
            "{path}"
        );
    }
    let mut client = Client::connect_with(server.https, &[("Cookie", &cookie)]).await;
    client.enter("team", "Ana", None).await;

    let forged = format!("{cookie}x");
    for other in [
        forged.as_str(),
        "__Host-callbox=",
        "__Host-callbox=a1s.*.x.9999999999.AAAA",
    ] {
        let response = request(server.https, "/", &[("Cookie", other), PAGE]).await;
        assert_eq!(response.status, 403, "{other}");
    }
    for next in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let form = format!("password=correct+horse&next={next}");
        let response = post(server.https, "/access/login", &[], &form).await;
        assert_eq!(response.header("location"), "/", "{next}");
    }
}

#[tokio::test]
async fn another_sites_form_is_refused_and_attempts_are_limited_while_a_call_goes_on() {
    let server = with_password("attempts_per_minute = 3\n");
    let form = "password=correct+horse";
    let foreign = [("Origin", "https://evil.example")];
    let response = post(server.https, "/access/login", &foreign, form).await;
    assert_eq!((response.status, response.header("set-cookie")), (403, ""));
    let own = format!("https://{}", server.https);
    let response = post(server.https, "/access/login", &[("Origin", &own)], form).await;
    let cookie = cookie(&response);
    let mut client = Client::connect_with(server.https, &[("Cookie", &cookie)]).await;
    client.enter("team", "Ana", None).await;

    let mut statuses = Vec::new();
    for _ in 0..6 {
        let response = post(server.https, "/access/login", &[], "password=guess").await;
        statuses.push(response.status);
        if response.status == 429 {
            assert_eq!(response.header("retry-after"), "60");
        }
    }
    assert_eq!(statuses, [403, 403, 429, 429, 429, 429]);
    client.send(&json!({"type": "ping"})).await;
    assert_eq!(client.next().await["type"], "pong");
    let big = "x".repeat(8_000);
    let response = post(server.https, "/access/login", &[], &big).await;
    assert_eq!(response.status, 413);
}

/// Accepts an invitation; the answer.
pub(crate) async fn accept(server: &Server, link: &str, headers: &[(&str, &str)]) -> Response {
    let path = link
        .split_once("/access")
        .map(|(_, rest)| format!("/access{rest}"))
        .unwrap();
    let shown = get(server.https, &path).await;
    if shown.status != 200 {
        return shown;
    }
    assert_eq!(
        shown.header("set-cookie"),
        "",
        "looking at it does not use it"
    );
    post(server.https, &path, headers, "").await
}

#[tokio::test]
async fn an_invitation_opens_its_room_and_no_other() {
    let server = by_invitation();
    is_shut(&server).await;
    let link = command(server.dir.path(), &["invite", "--room", "team"], "");
    assert!(link.starts_with("https://localhost"), "{link}");
    let response = accept(&server, &link, &[]).await;
    assert_eq!(
        (response.status, response.header("location")),
        (303, "/r/team")
    );
    let cookie = cookie(&response);
    let with = [("Cookie", cookie.as_str()), PAGE];
    assert_eq!(request(server.https, "/r/team", &with).await.status, 200);
    assert_eq!(request(server.https, "/r/other", &with).await.status, 403);
    let settings = request(server.https, "/config.js", &with).await;
    assert_eq!(json_of(settings.text(), "SETTINGS")["invitations"], true);
    let mut client = Client::connect_with(server.https, &[("Cookie", &cookie)]).await;
    client
        .send(&json!({"type": "join", "room": "other", "ticket": client.ticket}))
        .await;
    assert_eq!(client.next().await["code"], "not-invited");
    client.enter("team", "Ana", None).await;

    // Who is there may invite others, to this room.
    let own = format!("https://{}", server.https);
    let headers = [("Cookie", cookie.as_str()), ("Origin", &own)];
    let link = post(server.https, "/access/invite", &headers, "room=team").await;
    assert_eq!(accept(&server, link.text(), &[]).await.status, 303);
    for (headers, form) in [
        (&headers[..], "room=other"),
        (&headers[..1], "room="),
        (&headers[1..], "room=team"),
        (
            &[
                ("Cookie", cookie.as_str()),
                ("Origin", "https://evil.example"),
            ],
            "room=team",
        ),
    ] {
        let response = post(server.https, "/access/invite", headers, form).await;
        assert_eq!(response.status, 403, "{form}");
    }
    for broken in [
        "x",
        "a1i.x.y.1.z.99999999999.AAAA",
        "..%2F..%2Fcallbox.toml",
    ] {
        let response = get(server.https, &format!("/access/i/{broken}")).await;
        assert_eq!(response.status, 403, "{broken}");
    }
}

#[tokio::test]
async fn an_invitation_for_one_is_used_once_also_over_a_restart() {
    let server = by_invitation();
    let link = command(
        server.dir.path(),
        &["invite", "--room", "team", "--uses", "1"],
        "",
    );
    let first = accept(&server, &link, &[]).await;
    let own = cookie(&first);
    let again = accept(&server, &link, &[]).await;
    assert_eq!(again.status, 403);
    assert!(
        again.text().contains("has been used already"),
        "{}",
        again.text()
    );
    let server = server.restart();
    assert_eq!(accept(&server, &link, &[]).await.status, 403);
    let response = request(server.https, "/r/team", &[("Cookie", &own), PAGE]).await;
    assert_eq!(response.status, 200, "who is in stays in");

    let two = command(
        server.dir.path(),
        &["invite", "--room", "team", "--uses", "2"],
        "",
    );
    let first = accept(&server, &two, &[]).await;
    let own = cookie(&first);
    let path = two
        .split_once("/access")
        .map(|(_, rest)| format!("/access{rest}"))
        .unwrap();
    let same = post(server.https, &path, &[("Cookie", &own)], "").await;
    assert_eq!(same.status, 303, "the same person again");
    assert_eq!(
        accept(&server, &two, &[]).await.status,
        303,
        "the second person"
    );
    assert_eq!(accept(&server, &two, &[]).await.status, 403, "a third one");
}

#[tokio::test]
async fn one_command_revokes_everything_and_ends_the_calls() {
    let server = by_invitation();
    let link = command(server.dir.path(), &["invite", "--room", "team"], "");
    let cookie = cookie(&accept(&server, &link, &[]).await);
    let mut client = Client::connect_with(server.https, &[("Cookie", &cookie)]).await;
    client.enter("team", "Ana", None).await;
    command(server.dir.path(), &["revoke-all"], "");
    assert_eq!(client.close_code().await, 4007);
    let response = request(server.https, "/r/team", &[("Cookie", &cookie), PAGE]).await;
    assert_eq!(response.status, 403);
    assert_eq!(accept(&server, &link, &[]).await.status, 403);
    let fresh = command(server.dir.path(), &["invite", "--room", "team"], "");
    assert_eq!(accept(&server, &fresh, &[]).await.status, 303);
}

#[test]
fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    for (config, arguments, problem) in [
        (
            "",
            &["access", "invite", "--room", "team"][..],
            "mode = \"invite\"",
        ),
        (
            "[access]\nmode = \"invite\"",
            &["access", "invite", "--room", "a b"],
            "is not a name for a room",
        ),
        ("[access]\nmode = \"closed\"", &["config"], "is not a mode"),
        (
            "[access]\nmode = \"password\"",
            &["config"],
            "callbox access hash",
        ),
        (
            "[access]\npassword_hash = \"hunter2hunter2\"",
            &["config"],
            "not the password itself",
        ),
    ] {
        std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
        let output = program()
            .args(["--config", "callbox.toml"])
            .args(arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(problem),
            "{config}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn an_invitation_is_drawn_as_a_code_and_no_other_text_is() {
    let server = by_invitation();
    let link = command(server.dir.path(), &["invite", "--room", "team"], "");
    let cookie = cookie(&accept(&server, &link, &[]).await);
    let with = [("Cookie", cookie.as_str())];
    let token = link.rsplit('/').next().unwrap();
    let drawn = request(server.https, &format!("/qr.svg?invitation={token}"), &with).await;
    assert_eq!(drawn.header("content-type"), "image/svg+xml");
    let other = request(
        server.https,
        "/qr.svg?invitation=https://evil.example",
        &with,
    )
    .await;
    assert_eq!(other.status, 400);
}
