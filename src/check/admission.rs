//! Getting past the gate of a server that asks who comes in. What it said is judged purely.

use super::fault::Fault;
use super::page::Answer;
use super::probe::http::{Http, Posted};
use super::report::Row;
use super::target::Target;
use crate::access;

const NAME: &str = "access";
const LOGIN: &str = "/access/login";

/// What is shown at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Nothing,
    Password(String),
    /// The path of an invitation's link. Each check with it is one use.
    Invitation(String),
    /// The `Cookie` header of somebody who is in.
    Cookie(String),
}

/// Shows the key. The `Cookie` header from then on, if any, and what is to be told.
///
/// # Errors
/// When no answer comes; has no deadline of its own.
pub async fn enter(
    http: &mut Http,
    target: &Target,
    key: &Key,
) -> Result<(Option<String>, Option<Row>), Fault> {
    let (path, form) = match key {
        Key::Nothing => return Ok((None, None)),
        Key::Cookie(cookie) => return Ok((Some(cookie.clone()), None)),
        Key::Password(password) => (LOGIN, form(password)),
        Key::Invitation(path) => (path.as_str(), String::new()),
    };
    let posted = http.post(target, path, form).await?;
    let row = row(key, &posted);
    Ok((posted.cookie, Some(row)))
}

fn form(password: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("password", password)
        .finish()
}

/// Does the server ask for a key that it was not shown?
pub fn is_shut(answer: &Answer) -> bool {
    answer.status == 403 && answer.body.trim_end() == access::SHUT
}

/// What cannot be looked at without a key.
pub fn shut_row(local: bool) -> Row {
    let remedy = if local {
        "run it as root, or as the user that callbox runs as: it makes itself a pass from the state directory then"
    } else {
        "name the link of an invitation instead, or give the password with `--password FILE`"
    };
    Row::warning(
        NAME,
        "the server asks for a password or an invitation; what is behind that was not looked at",
        remedy,
    )
}

fn row(key: &Key, posted: &Posted) -> Row {
    let what = match key {
        Key::Invitation(_) => "the invitation",
        _ => "the password",
    };
    match posted.status {
        303 if posted.cookie.is_some() => Row::ok(NAME, format!("{what} lets one in")),
        429 => Row::failed(
            NAME,
            "too many attempts from here",
            "wait a minute: `access.attempts_per_minute`",
        ),
        503 => Row::failed(
            NAME,
            "the server has too many logins to look at",
            "try again",
        ),
        404 | 405 => Row::failed(
            NAME,
            "the server asks for no such thing",
            "is this callbox? What stands in front of it must pass /access/ on",
        ),
        _ => Row::failed(
            NAME,
            format!("{what} lets nobody in"),
            match key {
                Key::Invitation(_) => {
                    "it is used up, revoked or too old: make another one with `callbox access invite`"
                }
                _ => "give the right one, and see that `access.mode` is \"password\" there",
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn posted(status: u16, cookie: Option<&str>) -> Posted {
        Posted {
            status,
            cookie: cookie.map(str::to_owned),
        }
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        let password = Key::Password("p".into());
        let invitation = Key::Invitation("/access/i/x".into());
        for (key, status, part) in [
            (&password, 403, "the right one"),
            (&password, 429, "attempts_per_minute"),
            (&password, 503, "try again"),
            (&password, 404, "pass /access/ on"),
            (&password, 303, "the right one"),
            (&invitation, 403, "callbox access invite"),
        ] {
            let row = row(key, &posted(status, None));
            assert_eq!(row.status, Status::Failed, "{status}");
            assert!(row.remedy.unwrap().contains(part), "{status}");
        }
        let entered = row(&invitation, &posted(303, Some("c=1")));
        assert_eq!(
            (entered.status, entered.found.as_str()),
            (Status::Ok, "the invitation lets one in")
        );
    }

    #[test]
    fn passwords_are_written_as_forms_have_them() {
        assert_eq!(form("a b&c=ü"), "password=a+b%26c%3D%C3%BC");
    }
}
