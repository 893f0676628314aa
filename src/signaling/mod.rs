//! Signaling: browser -> room -> browser, over WebSockets. The protocol is described in docs/signaling.md.

mod backlog;
mod codes;
mod drain;
mod greeter;
mod hub;
pub mod message;
mod outbox;
mod pace;
mod patience;
mod rooms;
mod session;
mod switchboard;
pub mod ticket;

pub use codes::count_from_zero;
pub use hub::{Census, Hub};
pub use session::{AT_ONCE, Visit, run};
