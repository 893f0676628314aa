//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Readable by its owner only.
pub(crate) const PRIVATE: u32 = 0o600;
/// Readable by everybody.
pub(crate) const PUBLIC: u32 = 0o644;

/// An error about a file or folder that cannot be written, with the remedy. `key` names its place in the configuration.
pub(crate) fn unwritable(path: &Path, key: &str, error: io::Error) -> anyhow::Error {
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
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let beside = write_beside(path, contents, mode)?;
    fs::rename(&beside, path).inspect_err(|_| drop(fs::remove_file(&beside)))?;
    sync_folder(path)
}

/// Writes a file for its owner only, unless it is there already, in which case that one stays.
///
/// # Errors
/// When the folder cannot be written to.
pub(crate) fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
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
pub(super) fn hand_over(file: &File, folder: &Path) {
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
