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
mod room;
mod rooms;
mod session;
mod switchboard;
pub mod ticket;

use std::time::Duration;

pub use codes::count_from_zero;
pub use hub::{Census, Hub};
pub use session::{AT_ONCE, Visit, run};

/// How often the server pings a WebSocket.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);
