//! `/qr.svg`: decoded by somebody else's reader, from the drawing as it was sent.

use crate::support::{Server, get, plain, request};

/// Pixels for each module; readers want a few.
const SCALE: usize = 4;

/// What a camera reads from the drawing, which must be white with black modules in a quiet zone.
pub(crate) fn decode(svg: &str) -> String {
    let width: usize = between(svg, "viewBox=\"0 0 ", " ").parse().unwrap();
    let ground = format!("<path fill=\"#fff\" d=\"M0 0h{width}v{width}H0z\"/>");
    assert!(svg.contains(&ground), "{svg}");
    let mut dark = vec![false; width * width];
    for run in between(svg, "/><path d=\"M", "z\"/>").split("zM") {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let (length, rest) = rest.split_once("v1h-").unwrap();
        assert_eq!(length, rest);
        let [x, y, length] = [x, y, length].map(|text| text.parse::<usize>().unwrap());
        dark[y * width + x..][..length].fill(true);
        for edge in [x, y, x + length - 1] {
            assert!((4..width - 4).contains(&edge), "a quiet zone: {run}");
        }
    }
    let pixels = width * SCALE;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, |x, y| {
        let index = y / SCALE * width + x / SCALE;
        if dark[index] { 0 } else { 255 }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap().1;
    rest.split_once(end).unwrap().0
}

#[tokio::test]
async fn it_encodes_the_link_under_which_the_page_was_reached() {
    let server = Server::start("");
    for (host, query, link) in [
        (
            "call.example.com",
            "blue-otter",
            "https://call.example.com/r/blue-otter",
        ),
        (
            "LOCALHOST:8443",
            "Team_1",
            "https://localhost:8443/r/team_1",
        ),
        (
            "[fd00::5]:443",
            "b%C3%BCcher",
            "https://[fd00::5]/r/b%C3%BCcher",
        ),
    ] {
        let path = format!("/qr.svg?room={query}");
        let response = request(server.https, &path, &[("Host", host)]).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), "image/svg+xml");
        assert_eq!(response.header("cache-control"), "private, max-age=86400");
        assert_eq!(decode(response.text()), link);
    }
    let own = get(server.https, "/qr.svg?room=team").await;
    assert_eq!(
        decode(own.text()),
        format!("https://{}/r/team", server.https)
    );
}

#[tokio::test]
async fn the_longest_name_is_read_too() {
    let server = Server::start("");
    let name = "%E4%BC%9A".repeat(64);
    let response = get(server.https, &format!("/qr.svg?room={name}")).await;
    assert_eq!(
        decode(response.text()),
        format!("https://{}/r/{name}", server.https)
    );
}

#[tokio::test]
async fn nothing_but_the_name_of_a_room_is_encoded() {
    let server = Server::start("");
    for path in [
        "/qr.svg",
        "/qr.svg?room=",
        "/qr.svg?room=a+b",
        "/qr.svg?room=a%2Fb",
        "/qr.svg?room=https://evil.example",
        "/qr.svg?room=a&room=b",
        "/qr.svg?text=a",
    ] {
        let refused = get(server.https, path).await;
        assert_eq!(refused.status, 400, "{path}");
        assert_eq!(
            refused.text(),
            "Ask for /qr.svg?room= and the name of a room.\n"
        );
    }
    let long = format!("/qr.svg?room={}", "x".repeat(65));
    assert_eq!(get(server.https, &long).await.status, 400);
}

#[tokio::test]
async fn a_bad_host_gets_no_code_and_plain_http_is_redirected() {
    let server = Server::start("");
    for host in ["a\"b", "user@host", "host:99999"] {
        let refused = request(server.https, "/qr.svg?room=team", &[("Host", host)]).await;
        assert_eq!(refused.status, 400, "{host}");
    }
    let host = server.https.to_string();
    let redirected = plain(server.https, "/qr.svg?room=team", &host).await;
    assert_eq!(redirected.status, 307);
    assert_eq!(
        redirected.header("location"),
        format!("https://{host}/qr.svg?room=team")
    );
}
