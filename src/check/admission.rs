//! Getting past the gate of a server that asks who comes in. What it said is judged purely.

use super::fault::Fault;
use super::page::Answer;
use super::probe::http::{Http, Posted};
use super::report::Row;
use super::target::Target;
use crate::access;
use crate::words::secret::Secret;

const NAME: &str = "access";
const LOGIN: &str = "/access/login";

/// What is shown at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Nothing,
    Password(Secret),
    /// The path of an invitation's link. Each check with it is one use.
    Invitation(Secret),
    /// The `Cookie` header of somebody who is in, made on the server itself.
    Cookie(Secret),
}

/// How it went at the gate.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// The `Cookie` header from then on.
    pub cookie: Option<String>,
    pub row: Option<Row>,
}

/// Shows the key; what others gave it goes to a server that has proved who it is, and to no other.
///
/// # Errors
/// When no answer comes; has no deadline of its own.
pub(super) async fn enter(
    http: &mut Http,
    target: &Target,
    key: &Key,
    proved: bool,
) -> Result<Admission, Fault> {
    let (path, form) = match key {
        Key::Nothing => return Ok(Admission::default()),
        Key::Cookie(cookie) => {
            let cookie = Some(cookie.expose().to_owned());
            return Ok(Admission { cookie, row: None });
        }
        Key::Password(_) | Key::Invitation(_) if !proved => {
            let row = Some(withheld(key));
            return Ok(Admission { cookie: None, row });
        }
        Key::Password(password) => (LOGIN, form(password.expose())),
        Key::Invitation(path) => (path.expose(), String::new()),
    };
    let posted = http.post(target, path, form).await?;
    let row = Some(row(key, &posted));
    let cookie = posted.cookie;
    Ok(Admission { cookie, row })
}

fn form(password: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("password", password)
        .finish()
}

/// Does the server ask for a key that it was not shown, or does not take?
pub(super) fn is_shut(answer: &Answer) -> bool {
    answer.status == 403 && answer.body.trim_end() == access::SHUT
}

/// What is to be told of a gate that stays shut; `None` where it was told already.
pub(super) fn shut_row(key: &Key, local: bool, admitted: bool) -> Option<Row> {
    let found =
        "the server asks for a password or an invitation; what is behind that was not looked at";
    match key {
        Key::Nothing if local => Some(Row::warning(
            NAME,
            found,
            "run it as root, or as the user that callbox runs as: it makes itself a pass from the state directory then",
        )),
        Key::Nothing => Some(Row::warning(
            NAME,
            found,
            "name the link of an invitation instead, or give the password with `--password FILE`",
        )),
        Key::Cookie(_) => Some(Row::failed(
            NAME,
            "the server does not take a pass that was made with this configuration and state directory",
            "restart the server, if its configuration was changed since; or name the configuration that it runs with (`--config`)",
        )),
        Key::Password(_) | Key::Invitation(_) if admitted => Some(Row::failed(
            NAME,
            "the server lets one in, and has forgotten it with the next request",
            "what stands in front of callbox must pass cookies on as they come",
        )),
        Key::Password(_) | Key::Invitation(_) => None,
    }
}

fn withheld(key: &Key) -> Row {
    Row::failed(
        NAME,
        format!(
            "{} was not sent: the certificate does not prove that this is the server",
            named(key)
        ),
        "see the rows of the certificate; an authority of your own is trusted with `--ca FILE`",
    )
}

fn named(key: &Key) -> &'static str {
    match key {
        Key::Invitation(_) => "the invitation",
        _ => "the password",
    }
}

fn row(key: &Key, posted: &Posted) -> Row {
    let what = named(key);
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
        let password = Key::Password(Secret::new("p"));
        let invitation = Key::Invitation(Secret::new("/access/i/x"));
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
    fn a_gate_that_stays_shut_is_told_once_and_rightly() {
        let text = || Secret::new("s");
        for (key, local, admitted, part) in [
            (Key::Nothing, false, false, Some("--password FILE")),
            (Key::Nothing, true, false, Some("as root")),
            (Key::Cookie(text()), true, false, Some("restart the server")),
            (Key::Password(text()), false, true, Some("pass cookies on")),
            (Key::Password(text()), false, false, None),
        ] {
            let remedy = shut_row(&key, local, admitted).map(|row| row.remedy.unwrap());
            assert_eq!(remedy.is_some(), part.is_some(), "{key:?}");
            assert!(
                remedy.is_none_or(|remedy| remedy.contains(part.unwrap())),
                "{key:?}"
            );
            assert!(!format!("{key:?}").contains("\"s\""), "no secret is shown");
        }
    }

    #[test]
    fn passwords_are_written_as_forms_have_them() {
        assert_eq!(form("a b&c=ü"), "password=a+b%26c%3D%C3%BC");
    }
}
