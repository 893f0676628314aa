//! Signaling: browser -> room -> browser, over WebSockets. The protocol is described in docs/signaling.md.

mod backlog;
mod codes;
mod drain;
mod greeter;
mod hub;
pub(crate) mod message;
mod outbox;
mod pace;
mod patience;
mod rooms;
mod session;
mod switchboard;
pub(crate) mod ticket;

pub(crate) use codes::count_from_zero;
pub(crate) use hub::{Census, Hub};
pub(crate) use session::{AT_ONCE, Visit, run};
