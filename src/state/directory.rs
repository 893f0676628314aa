//! The state directory, and the secrets in it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};

use super::files::{create, unwritable};
use super::version;
use crate::words::secret::{Secret, random_hex};

const SECRET_BYTES: usize = 32;
const TURN_SECRET: &str = "turn-secret";
/// Behind tickets for visitors and seats.
pub(crate) const TICKET_KEY: &str = "ticket-key";

/// The state directory.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(super) dir: PathBuf,
}

impl State {
    /// Opens the directory, made with mode 0700 if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or a newer program has written it: a sentence with the remedy.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
        if let Err(error) = made {
            let dir = dir.display();
            bail!("cannot make {dir}: {error}; name a folder that can be written to");
        }
        version::check(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Opens the directory of a server, which is never made here: what would be put into another one no server reads.
    ///
    /// # Errors
    /// When no server has begun it, or a newer program has written it: a sentence with the remedy.
    pub(crate) fn open_served(dir: &Path) -> anyhow::Result<Self> {
        let begun = [version::FILE, TURN_SECRET, TICKET_KEY]
            .iter()
            .any(|name| dir.join(name).exists());
        if !begun {
            bail!(
                "no server has served from {}, or this user may not see it; run this as the server's user, with its configuration and state directory: `sudo -u callbox env STATE_DIRECTORY=/var/lib/callbox callbox …` under systemd",
                dir.display()
            );
        }
        version::check(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Where a file of this name lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// When it was made: what is there has seen that time.
    pub(crate) fn made(&self) -> Option<SystemTime> {
        fs::metadata(self.path(version::FILE))
            .and_then(|file| file.modified())
            .ok()
    }

    /// The secret behind time-limited credentials of the relay.
    ///
    /// # Errors
    /// As [`Self::secret`].
    pub(crate) fn turn_secret(&self) -> anyhow::Result<Secret> {
        self.secret(TURN_SECRET).map(Secret::new)
    }

    /// The secret of this name as text (64 hexadecimal digits), made at the first call.
    ///
    /// # Errors
    /// When it cannot be read or written, or does not look like a secret.
    pub(crate) fn secret(&self, name: &str) -> anyhow::Result<String> {
        let path = self.dir.join(name);
        if !path.exists() {
            let fresh = random_hex::<SECRET_BYTES>()?;
            create(&path, fresh.as_bytes()).map_err(|error| unwritable(&path, "state", error))?;
        }
        // Read back even when just made: another process may have been first.
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let secret = text.trim();
        if secret.len() < SECRET_BYTES {
            bail!(
                "{} holds no secret; delete it to have a new one made",
                path.display()
            );
        }
        Ok(secret.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state")).unwrap();
        let first = state.secret("turn-secret").unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(state.secret("turn-secret").unwrap(), first);
        assert_ne!(state.secret("ticket-key").unwrap(), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.dir), 0o700);
        assert_eq!(mode(&state.dir.join("turn-secret")), 0o600);
        assert_eq!(
            fs::read_dir(&state.dir).unwrap().count(),
            2,
            "nothing is left beside"
        );
    }

    #[test]
    fn a_cut_secret_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("turn-secret"), "abc").unwrap();
        let error = State::open(dir.path())
            .unwrap()
            .secret("turn-secret")
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("delete it to have a new one made")
        );
    }
}
