//! How often invitations that may be used so many times were used. Kept in a file, so that none is used again after a
//! restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::pass::Invitation;
use crate::state::{self, PRIVATE};

/// Each was issued by hand, on the command line.
const MOST: usize = 10_000;
/// Fewer are remembered beyond their time: the clock that says it is over may be ahead, and set.
const FEW: usize = 1_000;

/// Uses by the invitation's id.
#[derive(Debug)]
pub(super) struct Used {
    path: PathBuf,
    counts: Mutex<BTreeMap<String, Count>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    used: u32,
    /// Seconds since 1970: from then on it need not be remembered.
    expiry: u64,
}

impl Used {
    /// # Errors
    /// When the file is there and cannot be read.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let counts = match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                let path = path.display();
                format!("{path} is damaged; delete it, and invitations that were used up can be used again")
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self {
            path: path.to_owned(),
            counts: Mutex::new(counts),
        })
    }

    pub(super) fn is_used_up(&self, invitation: &Invitation) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let used = counts.get(&invitation.id).map_or(0, |count| count.used);
        invitation.uses.is_some_and(|uses| used >= uses)
    }

    /// Uses an invitation once; `false` where it is used up. Blocks on the disk.
    ///
    /// # Errors
    /// When that cannot be written down: it is not used then.
    pub(super) fn take(&self, invitation: &Invitation, now: SystemTime) -> anyhow::Result<bool> {
        let Some(uses) = invitation.uses else {
            return Ok(true);
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = counts.clone();
        if next.len() >= FEW {
            next.retain(|_, count| count.expiry > seconds(now));
        }
        anyhow::ensure!(next.len() < MOST, "too many invitations are remembered");
        let count = next.entry(invitation.id.clone()).or_insert(Count {
            used: 0,
            expiry: seconds(invitation.expiry),
        });
        if count.used >= uses {
            return Ok(false);
        }
        count.used += 1;
        state::replace(&self.path, &serde_json::to_vec(&next)?, PRIVATE)
            .map_err(|error| state::unwritable(&self.path, "state", error))?;
        *counts = next;
        Ok(true)
    }
}

fn seconds(time: SystemTime) -> u64 {
    let since: Duration = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::names::RoomName;

    fn invitation(id: &str, uses: Option<u32>) -> Invitation {
        Invitation {
            room: RoomName::parse("team").unwrap(),
            id: id.to_owned(),
            uses,
            expiry: UNIX_EPOCH + Duration::from_secs(2_000),
        }
    }

    #[test]
    fn uses_are_counted_over_a_restart_and_forgotten_when_they_become_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("used.json");
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let (once, twice) = (invitation("a", Some(1)), invitation("b", Some(2)));
        let used = Used::open(&path).unwrap();
        assert!(used.take(&once, now).unwrap());
        assert!(!used.take(&once, now).unwrap());
        assert!(used.take(&twice, now).unwrap());
        assert!(!used.is_used_up(&twice));

        let used = Used::open(&path).unwrap();
        assert!(used.is_used_up(&once));
        assert!(used.take(&twice, now).unwrap());
        assert!(!used.take(&twice, now).unwrap());
        for _ in 0..5 {
            assert!(
                used.take(&invitation("c", None), now).unwrap(),
                "any number"
            );
        }
        let later = now + Duration::from_secs(5_000);
        let mut fresh = invitation("d", Some(1));
        fresh.expiry = later + Duration::from_secs(1);
        assert!(used.take(&fresh, later).unwrap());
        assert!(
            !used.take(&once, now).unwrap(),
            "after a clock that was ahead"
        );
        for n in 0..FEW {
            let mut ended = invitation(&format!("e{n}"), Some(1));
            ended.expiry = now;
            let count = Count {
                used: 1,
                expiry: seconds(ended.expiry),
            };
            used.counts.lock().unwrap().insert(ended.id, count);
        }
        fresh.id = "f".to_owned();
        assert!(used.take(&fresh, later).unwrap());
        assert_eq!(used.counts.lock().unwrap().len(), 2, "d and f");
    }

    #[test]
    fn what_cannot_be_written_down_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gone").join("used.json");
        let used = Used::open(&path).unwrap();
        let once = invitation("a", Some(1));
        assert!(used.take(&once, UNIX_EPOCH).is_err());
        std::fs::create_dir(dir.path().join("gone")).unwrap();
        assert!(used.take(&once, UNIX_EPOCH).unwrap());
    }
}
