//! `/config.js`: what a page is told. Pure.

use serde_json::{Deserializer, Value};

use super::fault::Fault;
use super::ice::{IceUrl, Servers};
use super::report::{Row, quote};

const NAME: &str = "configuration of the page";

/// The answer to a request for the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Such as `/config.js`.
    pub path: &'static str,
    pub status: u16,
    /// Of as much of it as a configuration may take.
    pub body: String,
    /// What `Date` said.
    pub date: Option<std::time::SystemTime>,
}

/// `PC_CONFIG`, out of the script that sets it.
///
/// # Errors
/// [`Fault::Foreign`] where no such script came.
pub(super) fn read(answer: &Answer) -> Result<Servers, Fault> {
    if answer.status != 200 {
        let first = answer.body.lines().next().unwrap_or_default();
        return Err(Fault::Denied(answer.status, quote(first)));
    }
    let pc_config = value_of(&answer.body, "PC_CONFIG").ok_or(Fault::Foreign)?;
    value_of(&answer.body, "SETTINGS").ok_or(Fault::Foreign)?;
    Ok(Servers::read(&pc_config))
}

/// The object that a line of the script assigns: JSON, which ends where the next line begins.
fn value_of(script: &str, name: &str) -> Option<Value> {
    let (_, after) = script.split_once(&format!("{name} = "))?;
    let mut values = Deserializer::from_str(after).into_iter::<Value>();
    values.next()?.ok().filter(Value::is_object)
}

pub(super) fn row(path: &str, read: &Result<Servers, Fault>, off: bool) -> Row {
    match read {
        Ok(servers) if servers.turn().next().is_none() && off => {
            Row::skipped(NAME, format!("{path} lists no relay: it is switched off"))
        }
        Ok(servers) if servers.turn().next().is_none() => Row::failed(
            NAME,
            format!("{path} lists no TURN server: calls connect only where no firewall is between"),
            "set `turn.enabled = true`",
        ),
        Ok(servers) if !servers.odd.is_empty() => Row::warning(
            NAME,
            format!(
                "{path} lists \"{}\", which browsers refuse",
                quote(&servers.odd.join("\", \""))
            ),
            "correct `turn.host`, or what makes the configuration in front of callbox",
        ),
        Ok(servers) if servers.login.is_none() => Row::failed(
            NAME,
            format!("{path} gives no credentials for the relay"),
            "have callbox make it: nothing in front of it may keep or change /config.js",
        ),
        Ok(servers) => Row::ok(NAME, format!("{path} lists {}", listed(servers))),
        Err(fault) => Row::failed(NAME, format!("{path}: {fault}"), remedy(fault)),
    }
}

fn listed(servers: &Servers) -> String {
    let texts: Vec<_> = servers
        .urls
        .iter()
        .filter(|url| url.listed)
        .map(IceUrl::text)
        .collect();
    texts.join(" ")
}

fn remedy(fault: &Fault) -> &'static str {
    match fault {
        Fault::Denied(429, _) => {
            "wait a minute: `signaling.visitors_per_minute` limits page loads of one address"
        }
        Fault::Denied(500.., _) => "see callbox's log: `journalctl -u callbox`",
        Fault::Denied(..) | Fault::Foreign => {
            "is this callbox? What stands in front of it must pass /config.js on, uncached and with the Host header"
        }
        _ => {
            "see callbox's log: `journalctl -u callbox`; a proxy in front must pass requests on in time"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    const MODULE: &str = "export const PC_CONFIG = {\n  \"iceServers\": [{\"urls\": [\"stun:h:3478\"]}, {\"urls\": \
                          \"turn:h:3478?transport=udp\", \"username\": \"u; }\", \"credential\": \"p\"}]\n};\n\
                          export const SETTINGS = {\"ticket\": \"t\"};\n";

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            path: "/config.js",
            status,
            body: body.to_owned(),
            date: None,
        }
    }

    fn judged(status: u16, body: &str) -> Row {
        row("/config.js", &read(&answer(status, body)), false)
    }

    #[test]
    fn modules_and_classic_scripts_are_read() {
        let classic = MODULE.replace("export const ", "globalThis.");
        for body in [MODULE, &classic] {
            let servers = read(&answer(200, body)).ok().unwrap();
            assert_eq!(servers.login.unwrap().username, "u; }");
        }
        let row = judged(200, MODULE);
        assert_eq!(row.status, Status::Ok);
        assert!(
            row.found.ends_with("stun:h:3478 turn:h:3478?transport=udp"),
            "{}",
            row.found
        );
    }

    #[test]
    fn what_is_no_configuration_has_a_remedy() {
        let cut = &MODULE[..60];
        let deep = format!("PC_CONFIG = {}", "[".repeat(100_000));
        for body in ["", "<html>", "PC_CONFIG = 7; SETTINGS = 7", cut, &deep] {
            let row = judged(200, body);
            assert_eq!(row.status, Status::Failed);
            assert!(row.remedy.unwrap().contains("pass /config.js on"));
        }
        assert!(
            judged(429, "Too many")
                .remedy
                .unwrap()
                .contains("wait a minute")
        );
        assert!(
            judged(502, "Bad gateway")
                .remedy
                .unwrap()
                .contains("journalctl")
        );
    }

    #[test]
    fn a_relay_that_is_switched_off_is_no_failure_to_whom_it_is_known() {
        let body = "PC_CONFIG = {\"iceServers\": []};\nSETTINGS = {};\n";
        let read = read(&answer(200, body));
        let row_for = |off| row("/config.js", &read, off);
        assert_eq!(row_for(true).status, Status::Skipped);
        assert_eq!(row_for(false).status, Status::Failed);
        assert_eq!(row_for(false).remedy.unwrap(), "set `turn.enabled = true`");
    }
}
