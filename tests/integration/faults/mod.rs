//! What goes wrong around the program: disks, clocks, descriptors, and people. A certificate, a secret or a running call is
//! lost in none of these.

use std::path::Path;
use std::process::Output;

use crate::support::program;

mod beside;
mod clock;
mod codes;
mod crowded;
mod descriptors;
mod disk;
mod members;
mod operator;
mod people;
mod requests;
mod slow;
mod smuggling;
mod stalled;
mod state;

/// Runs callbox in this folder to its end.
fn run(dir: &Path, arguments: &[&str]) -> Output {
    program()
        .args(["--config", "callbox.toml"])
        .args(arguments)
        .env("CALLBOX__ADMIN__LISTEN", "off")
        .current_dir(dir)
        .output()
        .unwrap()
}

/// A start that has to fail: what it says.
fn refused(dir: &Path) -> String {
    let output = run(dir, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "nothing is served");
    said
}
