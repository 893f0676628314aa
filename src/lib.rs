//! callbox: video calls of your own, in one program.
//!
//! ```text
//!  browser ──TCP── front ─┬─ TLS ─┬─ web ─┬─ pages, /config.js (PC_CONFIG with fresh credentials)
//!                         │       │       └─ /ws ── signaling: session ── hub ── rooms ── hub ── session ── browser
//!                         │       └─ TURN over TLS ──┐           └─ presence: who may relay ──┐
//!                         ├─ plain http:// ── redirect                                        │
//!                         └─ TURN over TCP ──────────┤                                        │
//!  browser ──UDP────────────────────────────────── turn: shards ── engine ── other browsers ◄─┘
//! ```
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
