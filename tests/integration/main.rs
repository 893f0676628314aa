//! Tests against the real program over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod acme;
mod check;
mod configuration;
mod faults;
mod files;
mod folder;
mod hostile;
mod https;
mod knocking;
mod lifecycle;
mod local_ca;
mod metrics;
mod proxied;
mod qr;
mod relay;
mod reload;
mod signaling;
mod support;
mod upgrade;
