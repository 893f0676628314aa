//! `[access]`

use super::Context;
use crate::access::password::is_hash;
use crate::config::file::File;
use crate::config::{Access, AccessMode, ConfigError};

impl Context<'_> {
    pub(super) fn access(&self, file: &File) -> Result<Access, ConfigError> {
        let access = &file.access;
        let mode = match access.mode.as_str() {
            "open" => AccessMode::Open,
            "password" => AccessMode::Password,
            "invite" => AccessMode::Invite,
            other => {
                return Err(self.error(
                    "access.mode",
                    format!("\"{other}\" is no mode; write \"open\", \"password\" or \"invite\""),
                ));
            }
        };
        let key = "access.password_hash";
        let hash = &access.password_hash;
        match (hash, mode) {
            (None, AccessMode::Password) => {
                return Err(self.error(key, "is missing; write what `callbox access hash` prints"));
            }
            (Some(hash), _) if !is_hash(hash.expose()) => {
                return Err(self.error(
                    key,
                    "is no Argon2id hash; write what `callbox access hash` prints, not the password itself",
                ));
            }
            _ => {}
        }
        Ok(Access {
            mode,
            password_hash: hash.clone().filter(|_| mode == AccessMode::Password),
            session: self.duration("access.session", &access.session)?,
            invitation: self.duration("access.invitation", &access.invitation)?,
            attempts_per_minute: self
                .positive("access.attempts_per_minute", access.attempts_per_minute)?,
        })
    }
}
