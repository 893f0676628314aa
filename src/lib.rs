//! callbox: video calls of your own, in one program.
//!
//! ```text
//!  browser ──TCP── front ─┬─ TLS ── web ─┬─ pages, /config.js (PC_CONFIG with fresh credentials)
//!                         │              └─ /ws ── signaling: session ── hub ── rooms ── hub ── session ── browser
//!                         └─ plain http:// ── redirect
//!  browser ──UDP── turn: STUN, relay ── peer policy ── other browsers
//! ```
//!
//! [`config`] decides everything, [`app`] puts it together, [`state`] keeps what outlives a restart.

pub mod app;
mod banner;
pub mod cli;
pub mod config;
mod front;
mod limits;
mod listen;
mod net;
pub mod shutdown;
mod signaling;
mod state;
pub mod telemetry;
mod tls;
mod turn;
mod web;
