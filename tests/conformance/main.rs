//! Black-box conformance of the STUN/TURN server: RFC 8489 (STUN), RFC 8656 (TURN), RFC 7443 (ALPN).
//!
//! Each test is named after the row of the table in docs/ that it checks. A story is written once, for a client that
//! hides its transport, and told over each transport that it applies to: `cargo test --test conformance row_07`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Makes a test of a story for each transport: `stories! { row_01_binding: udp tcp; }` gives `row_01_binding::udp` and
/// `row_01_binding::tcp`.
macro_rules! stories {
    ($($story:ident: $($via:ident)+;)+) => {
        $(mod $story {
            use super::$story as story;
            $(#[test]
            fn $via() {
                crate::target::tell(stringify!($via), story);
            })+
        })+
    };
}

#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the integration tests"
)]
#[path = "../integration/support/mod.rs"]
mod support;

mod client;
mod link;
mod netns;
mod peer;
mod target;
mod wire;

mod allocate;
mod attributes;
mod authentication;
mod binding;
mod bitrates;
mod channels;
mod channels_over_time;
mod datagrams;
mod dont_fragment;
mod even_ports;
mod flood;
mod garbage;
mod guesses;
mod permissions;
mod policy;
mod policy_by_client;
mod policy_by_route;
mod policy_changes;
mod quotas;
mod refresh;
mod relay_to_relay;
mod streams;
mod uclient;
mod unanswered;
mod usernames;
