//! Two machines and a cable with an MTU of 1500: network namespaces, which are root's.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::target::{Setup, Target};

/// The server's machine; it stands behind a router that is the other machine.
pub(crate) const SERVER: &str = "10.77.0.1";
pub(crate) const SERVER_V6: &str = "fd77::1";
/// The other machine, as the server's gateway.
pub(crate) const GATEWAY: &str = "10.77.0.2";
/// The other machine, as somebody on the Internet.
pub(crate) const OUTSIDE: &str = "8.8.8.8";
pub(crate) const OUTSIDE_V6: &str = "2606:4700::8";
/// Addresses that a relay must not reach, on the other machine.
pub(crate) const METADATA: &str = "169.254.169.254";
pub(crate) const PRIVATE: &str = "10.0.0.1";

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Lan {
    server: String,
    outside: String,
}

impl Lan {
    pub(crate) fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test makes network namespaces: run it as root"
        );
        let id = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let lan = Self {
            server: format!("cbs{id}"),
            outside: format!("cbo{id}"),
        };
        lan.build();
        lan
    }

    fn build(&self) {
        let Self { server, outside } = self;
        ip(&format!("netns add {server}"));
        ip(&format!("netns add {outside}"));
        ip(&format!(
            "link add wire netns {server} type veth peer name wire netns {outside}"
        ));
        for (name, addresses) in [
            (
                server,
                &[&format!("{SERVER}/24"), &format!("{SERVER_V6}/64")][..],
            ),
            (
                outside,
                &[
                    &format!("{GATEWAY}/24"),
                    &format!("{OUTSIDE}/32"),
                    &format!("{METADATA}/32"),
                    &format!("{PRIVATE}/32"),
                    &"fd77::2/64".to_owned(),
                    &format!("{OUTSIDE_V6}/128"),
                ],
            ),
        ] {
            for address in addresses {
                let nodad = if address.contains(':') { "nodad" } else { "" };
                ip(&format!("-n {name} address add {address} dev wire {nodad}"));
            }
            ip(&format!("-n {name} link set lo up"));
            ip(&format!("-n {name} link set wire up"));
        }
        ip(&format!("-n {server} route add default via {GATEWAY}"));
        ip(&format!("-n {server} -6 route add default via fd77::2"));
    }

    /// Starts callbox on the server's machine.
    pub(crate) fn start(&self, setup: &Setup) -> Option<Target> {
        let mut target = self.inside(|| setup.start())?;
        for address in [&mut target.turn, &mut target.tls, &mut target.front] {
            address.set_ip(SERVER.parse().unwrap());
        }
        Some(target)
    }

    /// Changes the server's machine while it runs: what `ip` is told.
    pub(crate) fn change_server(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.server));
    }

    /// Changes the other machine.
    pub(crate) fn change_outside(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.outside));
    }

    /// Runs on the server's machine; sockets that are made there stay there.
    pub(crate) fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        within(&self.server, f)
    }

    /// Runs on the other machine.
    pub(crate) fn outside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        within(&self.outside, f)
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for name in [&self.server, &self.outside] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// A namespace is a matter of the thread, so the work gets one of its own.
fn within<T: Send>(name: &str, f: impl FnOnce() -> T + Send) -> T {
    let work = || {
        let namespace = File::open(format!("/run/netns/{name}")).unwrap();
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        f()
    };
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}
