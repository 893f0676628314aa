//! What a username says. Pure.
//!
//! Other programs that have the secret of time-limited credentials name whom they like, so what callbox names itself carries a tag that only this
//! server can make, and no other name is taken for one of a page:
//!
//! ```text
//! 1790000000:v-3f9c….TAG      a visitor;  c-…: a check
//! 1790000000:v-anna           another program's, as are v-anna:1790000000, 1790000000 and 1790000000:
//! TAG = base64url( the first 12 bytes of HMAC-SHA256(key of this server, "1790000000:v-3f9c…") )
//! ```

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// What callbox calls visitors begins with this.
pub(crate) const VISITOR: &str = "v-";
/// What it calls pages that try the relay without a call begins with this.
pub(crate) const CHECK: &str = "c-";
/// Bytes of a tag, which nobody can guess by asking.
const TAG: usize = 12;

/// Whom a username names, without its expiry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// A page that is in a call or on its way to one, as callbox called it.
    Visitor(Arc<str>),
    /// A page that tries the relay without a call, as callbox called it.
    Check(Arc<str>),
    /// Whom somebody else named: the operator under `[turn.users]`, or another program that has the secret.
    Other(Arc<str>),
}

impl Holder {
    /// One that callbox called so itself.
    pub(crate) fn own(name: &str) -> Self {
        if name.starts_with(CHECK) {
            Self::Check(name.into())
        } else {
            Self::Visitor(name.into())
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Visitor(name) | Self::Check(name) | Self::Other(name) => name,
        }
    }

    /// Is it anybody who opened a page, rather than one whom the operator or another program trusts?
    pub(crate) fn is_page(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

/// What a username says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub holder: Holder,
    /// `None` where it is not time-limited.
    pub expires: Option<SystemTime>,
}

impl Named {
    pub(crate) fn other(name: &str, expires: Option<SystemTime>) -> Self {
        let holder = Holder::Other(name.into());
        Self { holder, expires }
    }
}

/// Signs what callbox names itself, and knows it again.
#[derive(Debug, Clone)]
pub(crate) struct Names(hmac::Key);

impl Names {
    /// `own` is a secret of this server alone.
    pub(crate) fn new(own: &str) -> Self {
        const PURPOSE: &[u8] = b"callbox: names of the relay's visitors and checks";
        let own = hmac::Key::new(hmac::HMAC_SHA256, own.as_bytes());
        let derived = hmac::sign(&own, PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The username of the page that callbox calls `name`; `expiry` in seconds since 1970.
    pub(crate) fn sign(&self, name: &str, expiry: u64) -> String {
        let signed = format!("{expiry}:{name}");
        let tag = self.tag(&signed);
        format!("{signed}.{tag}")
    }

    /// What a time-limited username says, or one that is just a name.
    pub(crate) fn read(&self, username: &str) -> Named {
        if let Some((expires, name)) = self.own(username) {
            let holder = Holder::own(name);
            let expires = Some(expires);
            return Named { holder, expires };
        }
        match split(username) {
            Some((expires, name)) => Named::other(name, Some(expires)),
            None => Named::other(username, None),
        }
    }

    /// When `username` ends and whom it names, if callbox itself made it.
    fn own<'a>(&self, username: &'a str) -> Option<(SystemTime, &'a str)> {
        let (signed, tag) = username.rsplit_once('.')?;
        let (expiry, name) = signed.split_once(':')?;
        let begins = name.starts_with(VISITOR) || name.starts_with(CHECK);
        // Guessing a tag byte by byte gains nothing: who is taken for a page may less.
        let genuine = begins && tag == self.tag(signed);
        Some((moment(expiry).filter(|_| genuine)?, name))
    }

    fn tag(&self, signed: &str) -> String {
        let tag = hmac::sign(&self.0, signed.as_bytes());
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..TAG])
    }
}

/// When a time-limited username of another program ends, and whom it names, in any of the forms that coturn reads:
/// `expiry:name`, `name:expiry`, `expiry`, `expiry:`. Without a name it is its own.
fn split(username: &str) -> Option<(SystemTime, &str)> {
    let Some((first, rest)) = username.split_once(':') else {
        return Some((moment(username)?, username));
    };
    if let Some(expiry) = moment(first) {
        return Some((expiry, if rest.is_empty() { username } else { rest }));
    }
    let (name, expiry) = username.rsplit_once(':')?;
    Some((moment(expiry).filter(|_| !name.is_empty())?, name))
}

/// Seconds since 1970.
fn moment(text: &str) -> Option<SystemTime> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(time: SystemTime) -> u64 {
        time.duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn reads_expiry_and_name_in_either_order() {
        let seen = |username| split(username).map(|(expiry, name)| (seconds(expiry), name));
        assert_eq!(seen("1790000000:v-1"), Some((1_790_000_000, "v-1")));
        assert_eq!(seen("v-1:1790000000"), Some((1_790_000_000, "v-1")));
        assert_eq!(seen("5:a:b"), Some((5, "a:b")));
        assert_eq!(seen("a:b:5"), Some((5, "a:b")));
        assert_eq!(seen("5:7"), Some((5, "7")));
        assert_eq!(seen("5"), Some((5, "5")));
        assert_eq!(seen("5:"), Some((5, "5:")));
        for wrong in [
            "",
            ":",
            "alice",
            ":v",
            ":5",
            "-5:v",
            "+5:v",
            "5x:v",
            "v:5x",
            "v:",
            "99999999999999999999:v",
            "18446744073709551615:v",
        ] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_this_server_called_so_is_a_page() {
        let names = Names::new("of this server");
        for (name, holder) in [
            ("v-3f9c", Holder::Visitor("v-3f9c".into())),
            ("c-3f9c", Holder::Check("c-3f9c".into())),
        ] {
            let own = names.sign(name, 90_000);
            assert!(own.starts_with(&format!("90000:{name}.")), "{own}");
            assert!(own.len() < 60, "{own}");
            let read = names.read(&own);
            assert_eq!(
                (&read.holder, read.expires.map(seconds)),
                (&holder, Some(90_000))
            );
            let (signed, tag) = own.rsplit_once('.').unwrap();
            for other in [
                format!("90001:{name}.{tag}"),
                format!("{name}.{tag}:90000"),
                format!("90000:{name}1.{tag}"),
                format!("{signed}.{}", &tag[1..]),
                format!("{signed}."),
                signed.to_owned(),
                Names::new("of another server").sign(name, 90_000),
            ] {
                assert!(!names.read(&other).holder.is_page(), "{other}");
            }
        }
    }
}
