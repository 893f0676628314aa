//! `GET /qr.svg?room=NAME`, or `?invitation=TOKEN`: the link to a room as a QR code, for the camera of another device.

mod codes;

use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use fast_qr::{ECL, QRBuilder, QRCode};

use super::Shared;
use crate::words::names::RoomName;
use crate::words::site::Site;
use crate::words::visitor::Visitor;
pub(crate) use codes::Codes;
use codes::NoCode;

/// Modules of light around the code (ISO/IEC 18004, 9.1).
const QUIET_ZONE: usize = 4;
/// A whole number of pixels for each module keeps edges sharp.
const PIXELS: usize = 8;

/// The code of a link to this server only: whoever could ask for any text would make this server vouch for it.
pub(super) async fn code(State(app): State<Shared>, visitor: Visitor, uri: Uri) -> Response {
    let refuse = |why: &'static str| (StatusCode::BAD_REQUEST, why).into_response();
    let path = uri.query().and_then(|query| {
        let invitation = || {
            let token = single(query, "invitation")?;
            app.access.invitation_path(&token, SystemTime::now())
        };
        room(query).map(|room| path(&room)).or_else(invitation)
    });
    let Some(path) = path else {
        return refuse("Ask for /qr.svg?room= and the name of a room.\n");
    };
    let later = |status: StatusCode, seconds: &'static str| {
        let why = "Too many codes at once; try again.\n";
        (status, [(RETRY_AFTER, seconds)], why).into_response()
    };
    match app.codes.of(link(&visitor.site, &path), visitor.ip).await {
        Ok(code) => {
            // The same for the same address, and nobody else's business.
            let common = [
                (CONTENT_TYPE, "image/svg+xml"),
                (CACHE_CONTROL, "private, max-age=86400"),
            ];
            (common, code).into_response()
        }
        Err(NoCode::TooLong) => refuse("This link is too long for a QR code.\n"),
        Err(NoCode::TooMany) => later(StatusCode::TOO_MANY_REQUESTS, "1"),
        Err(NoCode::Busy) => later(StatusCode::SERVICE_UNAVAILABLE, "5"),
    }
}

pub(crate) fn codes() -> Arc<Codes> {
    Codes::new(draw)
}

/// The drawing of a link; `None` where it is too long.
fn draw(link: &str) -> Option<String> {
    let code = QRBuilder::new(link).ecl(ECL::M).build().ok()?;
    Some(svg(&code))
}

fn room(query: &str) -> Option<RoomName> {
    RoomName::parse(&single(query, "room")?)
}

/// The value of this key, where there is no other.
fn single(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (key, value) = pairs.next()?;
    (pairs.next().is_none() && key == wanted).then(|| value.into_owned())
}

fn link(site: &Site, path: &str) -> String {
    format!("https://{}/{path}", site.authority())
}

fn path(room: &RoomName) -> String {
    // Room names hold none of the few characters for which forms and paths differ.
    let segment: String = form_urlencoded::byte_serialize(room.as_str().as_bytes()).collect();
    format!("r/{segment}")
}

/// Dark on light whatever the page's colours are: not every camera reads the inverse.
fn svg(code: &QRCode) -> String {
    let width = code.size + 2 * QUIET_ZONE;
    let pixels = width * PIXELS;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {width} {width}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{width}v{width}H0z\"/><path d=\""
    );
    for row in 0..code.size {
        let cells = &code[row];
        let mut column = 0;
        for run in cells.chunk_by(|left, right| left.value() == right.value()) {
            let length = run.len();
            if run[0].value() {
                let (x, y) = (column + QUIET_ZONE, row + QUIET_ZONE);
                let _ = write!(text, "M{x} {y}h{length}v1h-{length}z");
            }
            column += length;
        }
    }
    text.push_str("\"/></svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_room_is_taken() {
        let name = |query: &str| room(query).map(|room| room.as_str().to_owned());
        assert_eq!(name("room=Blue-Otter").unwrap(), "blue-otter");
        assert_eq!(name("room=b%C3%BCcher").unwrap(), "bücher");
        for bad in [
            "",
            "room",
            "room=",
            "room=a+b",
            "room=a%2Fb",
            "room=%FF",
            "room=https://evil.example",
            "name=a",
            "room=a&room=b",
            "room=a&text=b",
        ] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn links_stand_as_browsers_write_them() {
        let link = |host: &str, name: &str| {
            link(
                &Site::parse(host).unwrap(),
                &path(&RoomName::parse(name).unwrap()),
            )
        };
        assert_eq!(
            link("Call.Example.com:443", "Team_1"),
            "https://call.example.com/r/team_1"
        );
        assert_eq!(
            link("[fd00::5]:8443", "bücher"),
            "https://[fd00::5]:8443/r/b%C3%BCcher"
        );
    }

    #[test]
    fn the_longest_link_fits() {
        let host = format!("{}.example:65535", ["a".repeat(60).as_str(); 4].join("."));
        let site = Site::parse(&host).unwrap();
        let room = RoomName::parse(&"𠀀".repeat(64)).unwrap();
        assert!(draw(&link(&site, &path(&room))).is_some());
    }
}
