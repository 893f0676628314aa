//! `[access]`

use super::Context;
use crate::config::file::File;
use crate::config::{Access, AccessMode, ConfigError};
use crate::words::password::PasswordHash;

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
                    format!(
                        "\"{other}\" is not a mode; write \"open\", \"password\" or \"invite\""
                    ),
                ));
            }
        };
        let key = "access.password_hash";
        let hash = access.password_hash.as_ref();
        let parsed = hash.and_then(PasswordHash::parse);
        if hash.is_some() && parsed.is_none() {
            return Err(self.error(
                key,
                "is not an Argon2id hash; write what `callbox access hash` prints, not the password itself",
            ));
        }
        if parsed.is_none() && mode == AccessMode::Password {
            return Err(self.error(key, "is missing; write what `callbox access hash` prints"));
        }
        Ok(Access {
            mode,
            password_hash: parsed.filter(|_| mode == AccessMode::Password),
            session: self.duration("access.session", &access.session)?,
            invitation: self.duration("access.invitation", &access.invitation)?,
            attempts_per_minute: self
                .positive("access.attempts_per_minute", access.attempts_per_minute)?,
        })
    }
}
