//! What must outlive a restart: secrets, keys, certificates. Files are written beside their place, synced and renamed,
//! so that a crash leaves the old or the new one, whole.

mod lock;
mod version;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};

use crate::words::secret::{Secret, random_hex};
pub use lock::Hold;
pub use version::FILE as MARK;

const SECRET_BYTES: usize = 32;
const TURN_SECRET: &str = "turn-secret";
/// Behind tickets for visitors and seats.
pub const TICKET_KEY: &str = "ticket-key";

/// Readable by its owner only.
pub const PRIVATE: u32 = 0o600;
/// Readable by everybody.
pub const PUBLIC: u32 = 0o644;

/// The state directory.
#[derive(Debug, Clone)]
pub struct State {
    dir: PathBuf,
}

impl State {
    /// Opens the directory, made with mode 0700 if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or a newer program has written it: a sentence with the remedy.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
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
    pub fn open_served(dir: &Path) -> anyhow::Result<Self> {
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
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// When it was made: what is there has seen that time.
    pub fn made(&self) -> Option<SystemTime> {
        fs::metadata(self.path(version::FILE))
            .and_then(|file| file.modified())
            .ok()
    }

    /// The secret behind time-limited credentials of the relay.
    ///
    /// # Errors
    /// As [`Self::secret`].
    pub fn turn_secret(&self) -> anyhow::Result<Secret> {
        self.secret(TURN_SECRET).map(Secret::new)
    }

    /// The secret of this name as text (64 hexadecimal digits), made at the first call.
    ///
    /// # Errors
    /// When it cannot be read or written, or does not look like a secret.
    pub fn secret(&self, name: &str) -> anyhow::Result<String> {
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

/// An error about a file or folder that cannot be written, with the remedy. `key` names its place in the configuration.
pub fn unwritable(path: &Path, key: &str, error: io::Error) -> anyhow::Error {
    let path = path.display();
    let problem = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("cannot write to {path}; make room on its disk")
        }
        _ => {
            format!("cannot write to {path}; make it writable, or set `{key}` to a folder that is")
        }
    };
    anyhow::Error::new(error).context(problem)
}

/// Replaces a file as a whole.
///
/// # Errors
/// When the folder cannot be written to; the old file is untouched then.
pub fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let beside = write_beside(path, contents, mode)?;
    fs::rename(&beside, path).inspect_err(|_| drop(fs::remove_file(&beside)))?;
    sync_folder(path)
}

/// Writes a file for its owner only, unless it is there already, in which case that one stays.
///
/// # Errors
/// When the folder cannot be written to.
pub fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    let beside = write_beside(path, contents, PRIVATE)?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(path),
    }
}

fn write_beside(path: &Path, contents: &[u8], mode: u32) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)?;
    hand_over(&file, folder_of(path));
    file.write_all(contents)
        .and_then(|()| file.sync_all())
        .inspect_err(|_| drop(fs::remove_file(&beside)))?;
    Ok(beside)
}

/// A rename is on the disk only once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Whoever runs a command as root once must not keep the server's own user from what that wrote.
fn hand_over(file: &File, folder: &Path) {
    let owner = |meta: &fs::Metadata| (meta.uid(), meta.gid());
    if let (Ok(folder), Ok(own)) = (fs::metadata(folder), file.metadata())
        && owner(&folder) != owner(&own)
    {
        // Nobody but root may, and nobody else needs to.
        let _ = fchown(file, Some(folder.uid()), Some(folder.gid()));
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

    /// As root it can tell; others own both.
    #[test]
    fn what_is_written_belongs_to_the_owner_of_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _ = std::os::unix::fs::chown(dir.path(), Some(65_534), Some(65_534));
        let path = dir.path().join("s");
        replace(&path, b"text", PRIVATE).unwrap();
        let owner = |path: &Path| fs::metadata(path).unwrap().uid();
        assert_eq!(owner(&path), owner(dir.path()));
    }

    #[test]
    fn an_existing_secret_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        create(&path, b"first").unwrap();
        create(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
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

    #[test]
    fn replace_swaps_the_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        replace(&path, b"old", PUBLIC).unwrap();
        replace(&path, b"new", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
