//! Which names an authority may be good for. Pure.

/// Nobody has names below these on the Internet, each network has its own: RFC 6762, RFC 8375, and what ICANN has set aside
/// for private use.
const PRIVATE_ZONES: [&str; 3] = [".local", ".internal", ".home.arpa"];

/// How far a name may be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// With all below it: nobody else has any of that.
    Subtree,
    /// What is below it may be somebody else's.
    Exactly,
}

/// Why an authority is not good for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Never {
    /// It may be, or become, a top-level domain.
    OneLabel,
    /// Others have the names below it.
    PublicSuffix,
}

/// `name`: a host name, lower case.
///
/// # Errors
/// Where it may not be promised at all.
pub(super) fn reach(name: &str) -> Result<Reach, Never> {
    let is_below = |zone: &&str| {
        name.strip_suffix(*zone)
            .is_some_and(|host| !host.is_empty())
    };
    if name == "localhost" || is_below(&".localhost") || PRIVATE_ZONES.iter().any(is_below) {
        return Ok(Reach::Subtree);
    }
    if !name.contains('.') {
        return Err(Never::OneLabel);
    }
    match psl::suffix_str(name) {
        Some(suffix) if suffix != name => Ok(Reach::Exactly),
        _ => Err(Never::PublicSuffix),
    }
}

/// Does `name` lie in the subtree of a name constraint? One that begins with a dot leaves its own name out. RFC 5280 says
/// nothing of such ones, and those who verify agree on it.
pub(super) fn is_within(name: &str, subtree: &str) -> bool {
    name.strip_suffix(subtree).is_some_and(|below| {
        if subtree.is_empty() || subtree.starts_with('.') {
            !below.is_empty()
        } else {
            below.is_empty() || below.ends_with('.')
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_are_promised_with_all_below_others_alone_or_never() {
        for name in [
            "localhost",
            "a.localhost",
            "box.local",
            "call.home.arpa",
            "a.b.internal",
        ] {
            assert_eq!(reach(name), Ok(Reach::Subtree), "{name}");
        }
        for name in [
            "box.example.com",
            "example.com",
            "box.lan",
            "box.fritz.box",
            "me.duckdns.org",
            "a.b.ck",
        ] {
            assert_eq!(reach(name), Ok(Reach::Exactly), "{name}");
        }
        for name in ["cloud", "box", "raspberrypi", "local", "internal", "arpa"] {
            assert_eq!(reach(name), Err(Never::OneLabel), "{name}");
        }
        for name in ["co.uk", "home.arpa", "duckdns.org", "github.io", "b.ck"] {
            assert_eq!(reach(name), Err(Never::PublicSuffix), "{name}");
        }
    }

    #[test]
    fn subtrees_are_read_as_others_read_them() {
        for (name, subtree) in [
            ("a.example", "a.example"),
            ("x.a.example", "a.example"),
            ("x.a.example", ".a.example"),
            ("a.example", ""),
        ] {
            assert!(is_within(name, subtree), "{name} {subtree}");
        }
        for (name, subtree) in [
            ("xa.example", "a.example"),
            ("example", "a.example"),
            ("a.example", ".a.example"),
            ("xa.example", ".a.example"),
        ] {
            assert!(!is_within(name, subtree), "{name} {subtree}");
        }
    }
}
