//! What a thread on Linux receives and sends datagrams with, and what it waits with.

mod gathering;
mod poll;
mod sys;
mod timer;
mod wake;

pub use gathering::{Gathering, PAUSE};
pub use poll::{Batch, Token};
pub use sys::{Inbox, Outgoing, SLOTS, set_dont_fragment};
pub use timer::Timer;
pub use wake::Wake;
