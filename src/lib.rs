//! callbox: video calls of your own, in one program.
//!
//! ARCHITECTURE.md has the drawing of what happens, and of what may know of what.
//!
//! Before all that `web` serves stands the gate of [`access`]. [`config`] decides everything, [`app`] puts it together,
//! [`state`] keeps what outlives a restart, [`check`] says what is wrong, [`admin`] what goes on.

mod access;
mod admin;
pub mod app;
pub mod check;
pub mod cli;
mod clock;
pub mod config;
#[cfg(test)]
mod floors;
mod front;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod ice;
mod limits;
mod listen;
mod net;
mod presence;
mod refused;
mod sealed;
pub mod shutdown;
mod signaling;
mod state;
pub mod telemetry;
mod tls;
mod turn;
mod web;
mod words;
