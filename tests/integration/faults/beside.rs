//! What lies in the current folder: taken from the user's own, never from where others can write.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;

use crate::support::program;

const NOBODY: u32 = 65_534;

/// A folder with a configuration that names a realm of its own.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o755);
    std::fs::create_dir(dir.path().join("config")).unwrap();
    std::fs::write(file(&dir), "[turn]\nrealm = \"beside\"\n").unwrap();
    set_mode(&dir.path().join("config"), 0o755);
    dir
}

fn file(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("config/callbox.toml")
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// What somebody else has done to a folder.
type Change = fn(&tempfile::TempDir);

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("the test runs as root");
}

fn config(dir: &tempfile::TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = program();
    command.arg("config").args(arguments);
    command.envs(environment.iter().copied());
    command.current_dir(dir.path()).output().unwrap()
}

#[track_caller]
fn read(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("realm = \"beside\""), "{text}");
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    for part in [why, "--config config/callbox.toml", "is not read unasked"] {
        assert!(said.contains(part), "{said}\nlacks {part}");
    }
}

#[test]
fn a_configuration_of_ones_own_is_read() {
    let dir = folder();
    read(&config(&dir, &[], &[]));
    // Root's is everybody's.
    let mut command = program();
    command.arg("config").current_dir(dir.path()).uid(NOBODY);
    read(&command.output().unwrap());
}

#[test]
fn a_configuration_of_somebody_else_is_read_only_where_it_was_asked_for() {
    let changes: [(&str, Change); 6] = [
        (
            "config/callbox.toml belongs to another user, number 65534",
            |dir| give(&file(dir)),
        ),
        ("config belongs to another user", |dir| {
            give(&dir.path().join("config"));
        }),
        ("the current folder belongs to another user", |dir| {
            give(dir.path());
        }),
        (
            "config/callbox.toml can be written to by other users",
            |dir| {
                set_mode(&file(dir), 0o646);
            },
        ),
        ("config can be written to by other users", |dir| {
            set_mode(&dir.path().join("config"), 0o777);
        }),
        (
            "the current folder can be written to by other users",
            |dir| {
                set_mode(dir.path(), 0o1777);
            },
        ),
    ];
    for (why, change) in changes {
        let dir = folder();
        change(&dir);
        refused(&config(&dir, &[], &[]), why);
        read(&config(&dir, &["--config", "config/callbox.toml"], &[]));
    }
}

#[test]
fn who_became_root_by_sudo_means_what_is_his_own() {
    let dir = folder();
    give(&file(&dir));
    read(&config(&dir, &[], &[("SUDO_UID", "65534")]));
    refused(
        &config(&dir, &[], &[("SUDO_UID", "65533")]),
        "belongs to another user",
    );
}

#[test]
fn secrets_are_not_taken_from_a_folder_of_somebody_else() {
    let configured =
        "listen = \"127.0.0.1:0\"\n[turn]\nenabled = false\n[admin]\nlisten = \"off\"\n";
    for (name, key) in [("state", "state"), ("certs", "tls.dir")] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("callbox.toml"), configured).unwrap();
        let planted = dir.path().join(name);
        std::fs::create_dir(&planted).unwrap();
        give(&planted);
        for arguments in [&[][..], &["cert"], &["access", "revoke-all"]] {
            let mut command = program();
            command.args(arguments).args(["--config", "callbox.toml"]);
            let output = command.current_dir(dir.path()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{said}");
            let sentence = format!("{key}: {} is not used unasked, since", planted_name(name));
            assert!(said.contains(&sentence), "{said}");
            assert!(said.contains("belongs to another user"), "{said}");
        }
        assert_eq!(std::fs::read_dir(&planted).unwrap().count(), 0);
    }
    // A folder that was chosen is the operator's affair: that of the server's own user, say.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("callbox.toml"),
        format!("state = \"state\"\n{configured}"),
    )
    .unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("state/ticket-key"), "x".repeat(64)).unwrap();
    give(&dir.path().join("state"));
    let mut command = program();
    command.args(["access", "revoke-all", "--config", "callbox.toml"]);
    let output = command.current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn planted_name(name: &str) -> &str {
    if name == "state" { "./state" } else { name }
}

#[test]
fn the_unit_names_its_configuration() {
    let unit = include_str!("../../../deploy/callbox.service");
    let start = unit
        .lines()
        .find(|line| line.starts_with("ExecStart="))
        .unwrap();
    assert_eq!(
        start,
        "ExecStart=/usr/local/bin/callbox --config /etc/callbox/callbox.toml"
    );
}
