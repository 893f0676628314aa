//! What must outlive a restart: secrets, keys, certificates. Files are written beside their place, synced and renamed,
//! so that a crash leaves the old or the new one, whole.

mod directory;
mod files;
mod lock;
mod version;

pub(crate) use directory::{State, TICKET_KEY};
pub(crate) use files::{PRIVATE, PUBLIC, create, replace, unwritable};
pub(crate) use lock::Hold;
pub(crate) use version::FILE as MARK;
