//! What must outlive a restart: secrets, keys, certificates. Files are written beside their place, synced and renamed,
//! so that a crash leaves the old or the new one, whole.

mod directory;
mod files;
mod lock;
mod version;

pub use directory::{State, TICKET_KEY};
pub use files::{PRIVATE, PUBLIC, create, replace, unwritable};
pub use lock::Hold;
pub use version::FILE as MARK;
