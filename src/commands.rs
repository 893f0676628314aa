//! What the program does beside serving.

use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};

use crate::config::Config;
use crate::state::{State, random_hex};
use crate::turn::credentials::{self, VISITOR};

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
        Some(name) if name.starts_with(VISITOR) => {
            bail!(
                "names that begin with \"{VISITOR}\" are those of visitors, who relay only while in a room; choose another one"
            );
        }
        Some(name) if name.is_empty() || name.len() > 128 || name.contains(char::is_whitespace) => {
            bail!("\"{name}\" is not a name; write 1 to 128 characters without spaces");
        }
        Some(name) => name.to_owned(),
        None => format!("program-{}", random_hex::<8>()?),
    };
    let stored = || {
        State::open(&config.state)
            .with_context(|| format!("cannot open {}", config.state.display()))?
            .turn_secret()
    };
    let secret = turn.secret.clone().map_or_else(stored, Ok)?;
    let expiry = SystemTime::now() + ttl.unwrap_or(turn.credential_ttl);
    let minted = credentials::mint(&secret, &name, expiry);
    Ok(format!(
        "username {}\npassword {}\n",
        minted.username, minted.password
    ))
}
