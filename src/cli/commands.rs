//! What the program does beside serving.

use std::io::{BufRead, IsTerminal, stdin};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};

use crate::access::{self, Access};
use crate::config::{AccessMode, Config};
use crate::net::Machine;
use crate::state::State;
use crate::turn::credentials::{self, MAX_TTL};
use crate::words::names::RoomName;
use crate::words::password;
use crate::words::secret::random_hex;
use crate::words::site::url_host;

/// Prints a username and a password of the relay for another program: good for `ttl`, whoever is in a room or not.
///
/// # Errors
/// Where there is no relay, the name cannot be used, or the secret cannot be read.
pub fn credentials(
    config: &Config,
    ttl: Option<Duration>,
    name: Option<&str>,
) -> anyhow::Result<String> {
    let Some(turn) = &config.turn else {
        bail!("the relay is switched off; set `turn.enabled = true`");
    };
    let name = match name {
        Some(name) if name.is_empty() || name.len() > 128 || name.contains(char::is_whitespace) => {
            bail!("\"{name}\" is not a name; write 1 to 128 characters without spaces");
        }
        Some(name) => name.to_owned(),
        None => format!("program-{}", random_hex::<8>()?),
    };
    let stored = || state(config)?.turn_secret();
    let secret = turn.secret.clone().map_or_else(stored, Ok)?;
    let ttl = ttl.unwrap_or(turn.credential_ttl);
    if ttl > MAX_TTL {
        bail!("credentials are good for 366 days at the most; write a shorter --ttl, such as 30d");
    }
    let expiry = SystemTime::now() + ttl;
    let minted = credentials::mint(&secret, &name, expiry);
    Ok(format!(
        "username {}\npassword {}\n",
        minted.username, minted.password
    ))
}

/// Reads a password from standard input; its hash.
///
/// # Errors
/// Where nothing comes, or it is too short.
pub fn hash() -> anyhow::Result<String> {
    if stdin().is_terminal() {
        eprint!("Password: ");
    }
    let mut line = String::new();
    stdin()
        .lock()
        .read_line(&mut line)
        .context("no password can be read")?;
    let hash = password::hash(line.trim_end_matches(['\r', '\n']))?;
    Ok(hash.expose().to_owned())
}

/// A link that lets into a room.
///
/// # Errors
/// Where nobody has to be invited, the room's name is none, or the state cannot be read.
pub fn invite(
    config: &Config,
    room: &str,
    ttl: Option<Duration>,
    uses: Option<u32>,
) -> anyhow::Result<String> {
    if config.access.mode != AccessMode::Invite {
        bail!("invitations need `mode = \"invite\"` under [access]");
    }
    let Some(room) = RoomName::parse(room) else {
        bail!(
            "\"{room}\" is not a name for a room; write 1 to 64 letters, digits, hyphens and underscores"
        );
    };
    let access = Access::open(&config.access, &state(config)?)?;
    let ttl = ttl.unwrap_or(config.access.invitation);
    let path = access.invite_for(room, ttl, uses, SystemTime::now())?;
    Ok(format!("https://{}/{path}", host(config)?))
}

/// Voids all that was issued to let people in.
///
/// # Errors
/// Where the state cannot be written to.
pub fn revoke_all(config: &Config) -> anyhow::Result<String> {
    access::revoke_all(&state(config)?)?;
    Ok(
        "All logins and invitations are void; a server that runs ends their calls within seconds."
            .to_owned(),
    )
}

fn state(config: &Config) -> anyhow::Result<State> {
    config.own_folders()?;
    let opened = State::open_served(&config.state);
    Ok(opened.map_err(|error| config.error("state", format!("{error:#}")))?)
}

/// Under which others most probably reach this server.
fn host(config: &Config) -> anyhow::Result<String> {
    let address = || {
        let machine = Machine::inspect().context("cannot list the machine's addresses")?;
        let public = config.public_ip.clone().unwrap_or_else(|| machine.global());
        let found = public
            .into_iter()
            .next()
            .or_else(|| machine.stable().next());
        anyhow::Ok(found.map_or("localhost".to_owned(), url_host))
    };
    let host = match config.domains.first() {
        Some(domain) => domain.clone(),
        None if config.listen.ip().is_loopback() => "localhost".to_owned(),
        None => address()?,
    };
    Ok(match config.listen.port() {
        443 => host,
        port => format!("{host}:{port}"),
    })
}
