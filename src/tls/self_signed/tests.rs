use std::os::unix::fs::PermissionsExt;

use super::*;

fn wanted(configured: &[&str]) -> Wanted {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Wanted {
        configured: own(configured),
        found: own(&["localhost", "127.0.0.1", "fd00::2"]),
    }
}

fn now() -> SystemTime {
    // Whole seconds, as certificates count.
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

#[test]
fn a_new_pair_is_what_browsers_accept() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("certs");
    let identity = load_or_make(&dir, &wanted(&["call.example.com"]), now()).unwrap();
    assert_eq!(
        identity.facts.names,
        ["call.example.com", "localhost", "127.0.0.1", "fd00::2"]
    );
    assert_eq!(identity.facts.days_left(now()), 396);
    assert_eq!(identity.facts.fingerprint.len(), 32 * 3 - 1);
    assert!(!identity.chains_to_public_root(now()));
    let mode = |name| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("key.pem"), 0o600);
    assert_eq!(mode("cert.pem"), 0o644);
    assert_eq!(
        fs::read_dir(&dir).unwrap().count(),
        2,
        "nothing is left beside"
    );
}

#[test]
fn it_is_kept_until_near_its_end_or_until_a_configured_name_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let fingerprint = |wanted: &Wanted, at| {
        load_or_make(dir.path(), wanted, at)
            .unwrap()
            .facts
            .fingerprint
    };
    let first = fingerprint(&wanted(&[]), now());
    assert_eq!(fingerprint(&wanted(&[]), now() + 300 * DAY), first);

    let mut moved = wanted(&[]);
    moved.found.push("192.168.1.9".to_owned());
    assert_eq!(
        fingerprint(&moved, now()),
        first,
        "another address is only logged"
    );

    let second = fingerprint(&wanted(&["call.example.com"]), now());
    assert_ne!(second, first);
    assert_eq!(
        fingerprint(&wanted(&["call.example.com"]), now() + 366 * DAY),
        second
    );
    assert_ne!(
        fingerprint(&wanted(&["call.example.com"]), now() + 368 * DAY),
        second
    );
}

#[test]
fn a_crash_between_key_and_certificate_is_finished_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    load_or_make(dir.path(), &wanted(&[]), now()).unwrap();
    let (cert, key) = generate(&wanted(&["new.example.com"]), now()).unwrap();
    fs::write(dir.path().join("cert.pem.next"), &cert).unwrap();
    fs::write(dir.path().join("key.pem"), &key).unwrap();
    let identity = load_or_make(dir.path(), &wanted(&["new.example.com"]), now()).unwrap();
    assert!(identity.facts.names.contains(&"new.example.com".to_owned()));
    assert_eq!(
        fs::read_to_string(dir.path().join("cert.pem")).unwrap(),
        cert
    );
}

#[test]
fn what_a_crash_left_is_served_where_it_cannot_be_finished() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = generate(&wanted(&[]), now()).unwrap();
    fs::write(dir.path().join("cert.pem.next"), cert).unwrap();
    fs::write(dir.path().join("key.pem"), key).unwrap();
    fs::create_dir_all(dir.path().join("cert.pem/in-the-way")).unwrap();
    let first = load_or_make(dir.path(), &wanted(&[]), now()).unwrap();
    let again = load_or_make(dir.path(), &wanted(&[]), now()).unwrap();
    assert_eq!(first.facts, again.facts);
}

#[test]
fn the_accepted_one_comes_back_after_some_wrong_clocks() {
    let dir = tempfile::tempdir().unwrap();
    let load = |at| load_or_make(dir.path(), &wanted(&[]), at).unwrap().facts;
    let accepted = load(now());
    for years in 1..=8 {
        assert_ne!(load(now() + years * 800 * DAY), accepted);
    }
    assert_eq!(load(now()), accepted);
    for years in 9..=20 {
        load(now() + years * 800 * DAY);
    }
    let files = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 2 + 8, "no more are kept");
}

#[test]
fn the_accepted_one_is_not_lost_where_it_cannot_be_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let load = |at| load_or_make(dir.path(), &wanted(&[]), at);
    let accepted = load(now()).unwrap().facts;
    load(now() + 800 * DAY).unwrap();
    // As on a disk that is full after the first file.
    let in_the_way = format!("cert.pem.next.{}.tmp", std::process::id());
    let in_the_way = dir.path().join(in_the_way);
    fs::create_dir(&in_the_way).unwrap();
    assert!(load(now()).is_err());
    fs::remove_dir(in_the_way).unwrap();
    assert_eq!(load(now()).unwrap().facts, accepted);
}

#[test]
fn one_without_a_fault_is_not_exchanged_for_a_younger_one() {
    let dir = tempfile::tempdir().unwrap();
    let load = |names: &[&str], at| load_or_make(dir.path(), &wanted(names), at).unwrap().facts;
    let first = load(&["a.example"], now());
    assert_ne!(load(&["b.example"], now() + DAY), first);
    assert_eq!(load(&["a.example"], now() + 2 * DAY), first);
    assert_eq!(load(&[], now() + 3 * DAY), first);
}

#[test]
fn damaged_or_half_pairs_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    load_or_make(dir.path(), &wanted(&[]), now()).unwrap();
    let key = dir.path().join("key.pem");
    let (_, other_key) = generate(&wanted(&[]), now()).unwrap();
    fs::write(&key, &other_key).unwrap();
    let error = format!(
        "{:#}",
        load_or_make(dir.path(), &wanted(&[]), now()).unwrap_err()
    );
    assert!(
        error.contains("delete both to have a new pair made"),
        "{error}"
    );
    assert!(error.contains("does not fit"), "{error}");
    assert_eq!(fs::read_to_string(&key).unwrap(), other_key);

    fs::remove_file(&key).unwrap();
    let error = format!(
        "{:#}",
        load_or_make(dir.path(), &wanted(&[]), now()).unwrap_err()
    );
    assert!(error.contains("cert.pem is there without"), "{error}");
}
