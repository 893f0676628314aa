//! Does a certificate fit what it is to be served for? Pure.

use std::time::SystemTime;

use super::Facts;

/// Why a certificate should not take the place of `old`: a sentence without its end. `domains` are those that it has to
/// name.
pub(super) fn why_unfit(
    new: &Facts,
    old: &Facts,
    domains: &[String],
    now: SystemTime,
) -> Option<String> {
    if new.not_after <= now {
        return Some("it has expired".to_owned());
    }
    if new.not_before > now {
        return Some("it is not valid yet".to_owned());
    }
    if let Some(name) = missing_name(new, domains) {
        return Some(format!("it does not name {name}"));
    }
    let shares = old.names.iter().any(|name| names(new, name));
    if domains.is_empty() && !old.names.is_empty() && !shares {
        return Some(format!(
            "it names {} and nothing that the old one does",
            list(&new.names)
        ));
    }
    None
}

/// The first of `wanted` that a certificate is not valid for.
pub(super) fn missing_name<'a>(facts: &Facts, wanted: &'a [String]) -> Option<&'a str> {
    let missing = wanted.iter().find(|name| !names(facts, name));
    missing.map(String::as_str)
}

/// A star stands for one label (RFC 6125 §6.4.3).
fn names(facts: &Facts, wanted: &str) -> bool {
    facts
        .names
        .iter()
        .any(|name| match name.strip_prefix("*.") {
            Some(parent) => wanted
                .split_once('.')
                .is_some_and(|(first, rest)| !first.is_empty() && rest == parent),
            None => name == wanted,
        })
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    fn facts(names: &[&str]) -> Facts {
        Facts {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_before: now() - DAY,
            not_after: now() + DAY,
            fingerprint: String::new(),
        }
    }

    #[test]
    fn a_certificate_that_is_out_of_its_time_is_refused() {
        let old = facts(&["a.example"]);
        let unfit = |new: &Facts| why_unfit(new, &old, &[], now());
        assert_eq!(unfit(&facts(&["a.example"])), None);
        let mut expired = facts(&["a.example"]);
        expired.not_after = now();
        assert_eq!(unfit(&expired).unwrap(), "it has expired");
        let mut early = facts(&["a.example"]);
        early.not_before = now() + DAY;
        assert_eq!(unfit(&early).unwrap(), "it is not valid yet");
    }

    #[test]
    fn configured_domains_have_to_be_named_all() {
        let old = facts(&["old.example"]);
        let domains = ["a.example".to_owned(), "b.a.example".to_owned()];
        let unfit = |names: &[&str]| why_unfit(&facts(names), &old, &domains, now());
        assert_eq!(unfit(&["a.example", "b.a.example"]), None);
        assert_eq!(unfit(&["a.example", "*.a.example"]), None);
        assert_eq!(
            unfit(&["*.a.example"]).unwrap(),
            "it does not name a.example"
        );
        assert!(
            unfit(&["a.example", "*.example"]).is_some(),
            "one label only"
        );
    }

    #[test]
    fn without_domains_it_has_to_share_a_name_with_the_old_one() {
        let old = facts(&["a.example", "www.a.example"]);
        assert_eq!(why_unfit(&facts(&["a.example"]), &old, &[], now()), None);
        let reason = why_unfit(&facts(&["b.example"]), &old, &[], now()).unwrap();
        assert!(reason.contains("b.example"), "{reason}");
        assert_eq!(
            why_unfit(&facts(&["b.example"]), &facts(&[]), &[], now()),
            None
        );
    }
}
