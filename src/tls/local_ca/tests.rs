use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> SystemTime {
    // Whole seconds, as certificates count.
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn wanted(configured: &[&str], found: &[&str]) -> Wanted {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Wanted {
        configured: own(configured),
        found: own(found),
    }
}

fn at_home() -> Wanted {
    wanted(
        &[],
        &["localhost", "127.0.0.1", "box", "box.local", "192.168.1.5"],
    )
}

/// `box` alone may be a top-level domain.
const CERTIFIED: [&str; 4] = ["localhost", "127.0.0.1", "box.local", "192.168.1.5"];

/// What is served, and the fingerprint of its authority.
fn load(dir: &Path, wanted: &Wanted, now: SystemTime) -> (Facts, String, Vec<String>) {
    let signed = load_or_make(dir, wanted, now).unwrap();
    let authority = signed.identity.authority.unwrap();
    (
        signed.identity.facts,
        authority.facts.fingerprint.clone(),
        signed.left_out,
    )
}

#[test]
fn an_authority_is_made_once_and_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let (first, authority, left_out) = load(&state, &at_home(), now());
    assert_eq!(first.names, CERTIFIED);
    assert_eq!(first.days_left(now()), 90);
    assert!(left_out.is_empty());
    assert_eq!(
        load(&state, &at_home(), now() + DAY),
        (first, authority, vec![])
    );
    let files = Files::new(&state);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files.dir), 0o700);
    assert_eq!(mode(&files.authority), 0o600);
    assert_eq!(mode(&files.served), 0o600);
    assert_eq!(fs::read_dir(&files.dir).unwrap().count(), 2);
}

#[test]
fn what_it_signs_is_renewed_at_two_thirds_of_its_life() {
    let dir = tempfile::tempdir().unwrap();
    let (first, authority, _) = load(dir.path(), &at_home(), now());
    assert_eq!(load(dir.path(), &at_home(), now() + 59 * DAY).0, first);
    let (second, same, _) = load(dir.path(), &at_home(), now() + 60 * DAY);
    assert_ne!(second, first);
    assert_eq!(second.days_left(now() + 60 * DAY), 90);
    assert_eq!(same, authority);
}

#[test]
fn another_address_is_certified_and_one_fewer_is_not_worth_it() {
    let dir = tempfile::tempdir().unwrap();
    let (first, authority, _) = load(dir.path(), &at_home(), now());
    let fewer = wanted(&[], &["localhost", "127.0.0.1", "box", "box.local"]);
    assert_eq!(load(dir.path(), &fewer, now()).0, first);
    let mut elsewhere = fewer.clone();
    elsewhere.found.push("10.9.8.7".to_owned());
    let (second, same, _) = load(dir.path(), &elsewhere, now());
    let certified = ["localhost", "127.0.0.1", "box.local", "10.9.8.7"];
    assert_eq!(second.names, certified);
    assert_eq!(same, authority);
}

#[test]
fn what_the_authority_may_not_certify_is_left_out_if_it_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let (_, authority, _) = load(dir.path(), &at_home(), now());
    let mut renamed = at_home();
    let more = ["laptop", "laptop.local", "2001:4860::7"].map(str::to_owned);
    renamed.found.extend(more);
    let (served, same, left_out) = load(dir.path(), &renamed, now());
    assert_eq!(served.names, CERTIFIED);
    let another_might = ["laptop.local", "2001:4860::7"];
    assert_eq!(left_out, another_might);
    assert_eq!(same, authority);
}

#[test]
fn a_new_authority_is_made_for_what_was_configured_and_the_old_one_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (_, authority, _) = load(dir.path(), &at_home(), now());
    let files = Files::new(dir.path());
    let old = fs::read(&files.authority).unwrap();
    let named = wanted(&["call.home.arpa"], &["localhost", "192.168.1.5"]);
    let (served, other, _) = load(dir.path(), &named, now());
    assert_eq!(served.names, ["call.home.arpa", "localhost", "192.168.1.5"]);
    assert_ne!(other, authority);
    let short = authority.replace(':', "").to_lowercase();
    let aside = files.dir.join(format!("ca-{}.pem", &short[..16]));
    assert_eq!(fs::read(&aside).unwrap(), old);
    // Brought back, it serves again.
    fs::rename(aside, &files.authority).unwrap();
    assert_eq!(load(dir.path(), &at_home(), now()).1, authority);
}

#[test]
fn an_authority_near_its_end_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (_, authority, _) = load(dir.path(), &at_home(), now());
    let later = now() + 3500 * DAY;
    assert_eq!(load(dir.path(), &at_home(), later).1, authority);
    let (served, other, _) = load(dir.path(), &at_home(), now() + 3600 * DAY);
    assert_ne!(other, authority);
    assert_eq!(served.days_left(now() + 3600 * DAY), 90);
}

#[test]
fn a_clock_that_goes_back_does_not_cost_the_authority() {
    let dir = tempfile::tempdir().unwrap();
    let (first, authority, _) = load(dir.path(), &at_home(), now());
    // Before this program was made: what is there is better than anything that could be made by this clock.
    let early = now() - 9000 * DAY;
    let (served, same, _) = load(dir.path(), &at_home(), early);
    assert_eq!((served, same), (first, authority.clone()));
    // A clock that may be right.
    let earlier = now() - 100 * DAY;
    let (served, other, _) = load(dir.path(), &at_home(), earlier);
    assert_ne!(other, authority);
    assert!(served.not_before < earlier && earlier < served.not_after);
    let (_, same, _) = load(dir.path(), &at_home(), now());
    assert_eq!(same, authority, "brought back");
}

#[test]
fn what_a_wrong_clock_has_made_is_good_once_it_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let (_, authority, _) = load(dir.path(), &at_home(), SystemTime::UNIX_EPOCH + DAY);
    let (served, same, _) = load(dir.path(), &at_home(), now());
    assert_eq!(same, authority);
    assert_eq!(served.days_left(now()), 90);
}

#[test]
fn a_clock_that_was_ahead_does_not_cost_the_authority() {
    let dir = tempfile::tempdir().unwrap();
    let (_, authority, _) = load(dir.path(), &at_home(), now());
    for years in [10, 30] {
        let ahead = now() + years * 365 * DAY;
        let (_, other, _) = load(dir.path(), &at_home(), ahead);
        assert_ne!(other, authority);
        let (served, same, _) = load(dir.path(), &at_home(), now());
        assert_eq!(same, authority, "brought back");
        assert_eq!(served.days_left(now()), 90);
    }
}

#[test]
fn one_without_a_fault_is_not_exchanged_for_a_younger_one() {
    let dir = tempfile::tempdir().unwrap();
    let load = |names: &[&str], at| load(dir.path(), &wanted(names, &["localhost"]), at).1;
    let first = load(&["a.home.arpa"], now());
    let second = load(&["b.home.arpa"], now() + DAY);
    assert_ne!(second, first);
    assert_eq!(load(&["a.home.arpa"], now() + 2 * DAY), first);
    assert_eq!(load(&[], now() + 3 * DAY), first);
    // Nor where somebody has brought back the older one.
    assert_eq!(load(&["b.home.arpa"], now() + 4 * DAY), second);
    let short = first.replace(':', "").to_lowercase();
    let files = Files::new(dir.path());
    let aside = files.dir.join(format!("ca-{}.pem", &short[..16]));
    fs::rename(aside, &files.authority).unwrap();
    assert_eq!(load(&[], now() + 5 * DAY), first);
}

#[test]
fn what_a_clock_that_was_ahead_has_made_does_not_come_back_when_its_time_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let load = |at| load(dir.path(), &at_home(), at).1;
    let ahead = load(now() + 300 * DAY);
    let good = load(now());
    assert_ne!(good, ahead);
    assert_eq!(load(now() - 9000 * DAY), good, "by no wrong clock either");
    for day in [1, 8, 100, 299, 301, 500] {
        assert_eq!(load(now() + day * DAY), good);
    }
}

#[test]
fn what_somebody_else_has_put_beside_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path());
    let at_box = wanted(&["box.local"], &[]);
    let (_, first, _) = load(dir.path(), &at_box, now());
    let backup = files.dir.join("ca-backup.pem");
    fs::copy(&files.authority, &backup).unwrap();
    fs::remove_file(&files.authority).unwrap();
    load(dir.path(), &wanted(&["call.home.arpa"], &[]), now());
    assert_ne!(load(dir.path(), &at_box, now()).1, first);
    assert!(backup.exists());
}

#[test]
fn what_is_damaged_is_made_anew_if_nobody_has_installed_it() {
    let dir = tempfile::tempdir().unwrap();
    let (first, authority, _) = load(dir.path(), &at_home(), now());
    let files = Files::new(dir.path());
    fs::write(&files.served, "rubbish").unwrap();
    let (second, same, _) = load(dir.path(), &at_home(), now());
    assert_ne!(second, first);
    assert_eq!(same, authority);
    for damaged in [
        "rubbish",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(&files.authority, damaged).unwrap();
        let error = load_or_make(dir.path(), &at_home(), now()).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("ca.pem is damaged; bring it back"),
            "{error}"
        );
    }
}

#[test]
fn another_authoritys_certificate_is_not_served() {
    let [dir, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    load(dir.path(), &at_home(), now());
    let (foreign, ..) = load(other.path(), &at_home(), now());
    fs::copy(
        Files::new(other.path()).served,
        Files::new(dir.path()).served,
    )
    .unwrap();
    assert_ne!(load(dir.path(), &at_home(), now()).0, foreign);
}

#[test]
fn a_long_host_name_and_one_that_is_none_have_an_authority_too() {
    let long = format!("{0}.{0}.example", "a".repeat(60));
    for host in [long.as_str(), "localhost"] {
        let dir = tempfile::tempdir().unwrap();
        let (served, ..) = load(dir.path(), &wanted(&[], &[host, "10.0.0.1"]), now());
        assert_eq!(served.names, [host, "10.0.0.1"]);
    }
}

#[test]
fn one_that_promises_too_much_stays_in_use_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path());
    let wide = Limits::with_all_below(&["localhost", "box", "call.example.com"]);
    let pem = issue::authority("box", &wide, now()).unwrap();
    fs::create_dir(&files.dir).unwrap();
    fs::write(&files.authority, &pem).unwrap();
    let named = wanted(&["box"], &["localhost", "192.168.1.5"]);
    let (served, authority, _) = load(dir.path(), &named, now());
    assert_eq!(served.names, ["box", "localhost", "192.168.1.5"]);
    let found = |files: &Files| files.too_wide().unwrap();
    let [first] = &found(&files)[..] else {
        panic!("one: {:?}", found(&files));
    };
    assert_eq!(first.path, files.authority);
    assert_eq!(first.names, [".box", ".call.example.com"]);
    // Put aside, devices trust it all the same.
    let (_, other, _) = load(dir.path(), &wanted(&["call.home.arpa"], &[]), now());
    assert_ne!(other, authority);
    let [aside] = &found(&files)[..] else {
        panic!("one: {:?}", found(&files));
    };
    assert_ne!(aside.path, files.authority);
    fs::remove_file(&aside.path).unwrap();
    assert!(found(&files).is_empty());
}

#[test]
fn what_no_authority_may_be_good_for_is_an_error_where_it_was_configured() {
    let dir = tempfile::tempdir().unwrap();
    for names in [&["box"][..], &["co.uk"], &["example.com", "a.example.com"]] {
        let error = load_or_make(dir.path(), &wanted(names, &[]), now()).unwrap_err();
        assert!(error.is::<Uncertifiable>(), "{error:#}");
        assert!(!Files::new(dir.path()).authority.exists());
    }
}

#[test]
fn the_machines_full_name_is_certified_and_nothing_below_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let (served, ..) = load(dir.path(), &wanted(&["call.example.com"], &[]), now());
    assert_eq!(served.names, ["call.example.com"]);
    let kept = Files::new(dir.path()).load().unwrap().unwrap();
    for (name, good) in [
        ("call.example.com", true),
        ("localhost", true),
        ("mail.call.example.com", false),
        ("example.com", false),
        ("cloud", false),
    ] {
        let pem = issue::server(&kept.pem, &[name.to_owned()], now()).unwrap();
        let forged = pair(pem.as_bytes(), pem.as_bytes()).unwrap();
        assert_eq!(
            kept.has_signed(&forged, Reading::new(now())),
            good,
            "{name}"
        );
    }
}
