//! One process serves from a state directory. Two would hand out what the other does not know of: each counts the uses of
//! invitations for itself, and each renews the certificate.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::bail;

use super::{PRIVATE, State};

const LOCK: &str = "lock";

/// A state directory is served from as long as this lives. The kernel lets it go with the process, however that ends.
#[derive(Debug)]
pub struct Hold {
    _file: Option<File>,
}

impl State {
    /// Takes the directory for this process, to serve from it.
    ///
    /// # Errors
    /// When another process has it: a sentence with the remedy.
    pub fn hold(&self) -> anyhow::Result<Hold> {
        let dir = self.dir.display();
        let mut file = match self.lock_file() {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(
                    "{dir} cannot be locked: {error}; see that only one callbox serves from it"
                );
                return Ok(Hold { _file: None });
            }
        };
        match file.try_lock() {
            Ok(()) => {
                if let Err(error) = self.mark() {
                    tracing::warn!("{dir} cannot be written to: {error}");
                }
                // Only for the sentence below.
                let _ = file
                    .set_len(0)
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let who = match holder.trim().parse::<u32>() {
                    Ok(id) => format!("another callbox (process {id})"),
                    Err(_) => "another callbox".to_owned(),
                };
                bail!(
                    "{who} serves from {dir} already; end that one first, or name a folder of its own for each"
                );
            }
            // Some network disks know no locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "{dir} cannot be locked: {error}; see that only one callbox serves from it"
                );
            }
        }
        Ok(Hold { _file: Some(file) })
    }

    fn lock_file(&self) -> io::Result<File> {
        let path = self.path(LOCK);
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(&path)
            // One that is there can be locked on a disk that is read-only, too.
            .or_else(|error| File::open(&path).map_err(|_| error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let held = state.hold().unwrap();
        let refused = state.hold().unwrap_err().to_string();
        let id = std::process::id();
        assert!(refused.contains(&format!("(process {id})")), "{refused}");
        drop(held);
        state.hold().unwrap();
    }
}
