//! Will browsers take the certificate: who vouches for it, for which names, until when? Pure.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor};
use rustls::server::ParsedCertificate;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::report::{Row, quote};
use crate::tls;

pub(super) const CHAIN: &str = "certificate: chain";
const NAMES: &str = "certificate: names";
const TIME: &str = "certificate: days left";
/// Renewal has been due for a while, and people do not read mail on each day.
const SOON: u64 = 14;
/// Of a life of days: these are renewed when half of it is over.
const SOON_PART: u64 = 3;
const DAY: u64 = 86_400;

/// Who vouches for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// A root that browsers ship.
    Public,
    /// The authority that was given with `--ca`.
    Given,
    /// The certificate itself.
    SelfSigned,
    /// An authority of the server's own, which devices can install.
    LocalCa,
    /// Nobody who is known. How many certificates were shown, and who issued the last one.
    Unknown { shown: usize, issuer: String },
}

/// What a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub trust: Trust,
    /// DNS names and IP addresses that it is valid for.
    pub names: Vec<String>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    /// SHA-256, as browsers show it.
    pub fingerprint: String,
    /// Has callbox made it, which it does again where it has to?
    pub made_here: bool,
}

impl Certificate {
    /// From a chain, its own certificate first; `given` are further roots.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(
        chain: &[CertificateDer<'_>],
        given: &[TrustAnchor<'_>],
        now: SystemTime,
    ) -> anyhow::Result<Self> {
        let leaf = chain.first().context("none was shown")?;
        let facts = tls::facts(leaf)?;
        let (_, parsed) =
            X509Certificate::from_der(leaf).context("it is not an X.509 certificate")?;
        let begins = u64::try_from(parsed.validity().not_before.timestamp()).unwrap_or(0);
        let not_before = UNIX_EPOCH + Duration::from_secs(begins);
        let organizations = issuing_organizations(&parsed);
        // Whom it comes from is one question, when it ends another.
        let at = now.min(facts.not_after).max(not_before);
        let trust = if tls::chains_to(webpki_roots::TLS_SERVER_ROOTS, chain, at) {
            Trust::Public
        } else if tls::chains_to(given, chain, at) {
            Trust::Given
        } else if parsed.subject() == parsed.issuer() {
            Trust::SelfSigned
        } else if organizations.contains(&tls::LOCAL_CA) {
            Trust::LocalCa
        } else {
            let last = chain
                .last()
                .and_then(|der| X509Certificate::from_der(der).ok());
            let issuer =
                last.map_or_else(String::new, |(_, last)| quote(&last.issuer().to_string()));
            Trust::Unknown {
                shown: chain.len(),
                issuer,
            }
        };
        Ok(Self {
            trust,
            names: facts.names,
            not_before,
            not_after: facts.not_after,
            fingerprint: facts.fingerprint,
            made_here: made_here(leaf),
        })
    }
}

/// Has callbox made this certificate?
pub(super) fn made_here(leaf: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(leaf).is_ok_and(|(_, parsed)| {
        let organizations = issuing_organizations(&parsed);
        [tls::ORGANIZATION, tls::LOCAL_CA]
            .iter()
            .any(|ours| organizations.contains(ours))
    })
}

fn issuing_organizations<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let organizations = certificate.issuer().iter_organization();
    organizations
        .filter_map(|name| name.as_str().ok())
        .collect()
}

/// Is the certificate valid for this name or address?
pub(super) fn covers(leaf: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(leaf), Ok(name)) = (
        ParsedCertificate::try_from(leaf),
        ServerName::try_from(name),
    ) else {
        return false;
    };
    verify_server_name(&leaf, &name).is_ok()
}

/// Does it prove that this is the server of that name?
pub(super) fn proves(
    chain: &[CertificateDer<'_>],
    given: &[TrustAnchor<'_>],
    name: &str,
    now: SystemTime,
) -> bool {
    let trusted = Certificate::read(chain, given, now).is_ok_and(|certificate| {
        matches!(certificate.trust, Trust::Public | Trust::Given)
            && (certificate.not_before..certificate.not_after).contains(&now)
    });
    trusted && chain.first().is_some_and(|leaf| covers(leaf, name))
}

pub(super) fn unreadable(problem: &str) -> Row {
    Row::failed(
        CHAIN,
        problem,
        "bring another certificate: `tls.cert` and `tls.key`, or neither for one of callbox's making",
    )
}

pub(super) fn chain_row(certificate: &Certificate) -> Row {
    match &certificate.trust {
        Trust::Public => Row::ok(CHAIN, "trusted by browsers"),
        Trust::Given => Row::ok(
            CHAIN,
            "trusted by those who have the authority given with --ca",
        ),
        Trust::SelfSigned => Row::warning(
            CHAIN,
            format!(
                "self-signed, not trusted by browsers: they will ask once; SHA-256 {}",
                certificate.fingerprint
            ),
            "compare the fingerprint and go on, once on each device; or bring a certificate that browsers trust (`tls.cert`, `tls.key`)",
        ),
        Trust::LocalCa => Row::warning(
            CHAIN,
            "signed by an authority of the server's own, trusted by the devices that have installed it",
            "install the authority on each device: open /ca of the page there and compare the fingerprint with that of `callbox cert`; a check trusts it with --ca and what `callbox cert --export-ca ca.pem` writes",
        ),
        Trust::Unknown { shown, issuer } => Row::warning(
            CHAIN,
            format!("not trusted by browsers: {shown} shown, the last one issued by \"{issuer}\""),
            "let `tls.cert` name the file with the whole chain (fullchain.pem); where the authority is your own, install it on each device and pass it with --ca",
        ),
    }
}

/// `names`: those under which the server should be reached, each with whether the certificate covers it.
pub(super) fn names_row(certificate: &Certificate, names: &[(String, bool)]) -> Row {
    let missing: Vec<_> = names
        .iter()
        .filter(|(_, covered)| !covered)
        .map(|(name, _)| name.as_str())
        .collect();
    let has = quote(&certificate.names.join(", "));
    if missing.is_empty() {
        let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
        return Row::ok(NAMES, format!("valid for {}", names.join(", ")));
    }
    let missing = missing.join(", ");
    let remedy = if certificate.made_here {
        let is_address = missing.parse::<IpAddr>().is_ok();
        let key = if is_address { "public_ip" } else { "domains" };
        format!(
            "set `{key}` to {missing} and restart callbox: it makes a new certificate; or open the page under a name that it has"
        )
    } else {
        format!("get a certificate for {missing}, or open the page under a name that it has")
    };
    Row::failed(
        NAMES,
        format!("not valid for {missing}, only for {has}"),
        remedy,
    )
}

pub(super) fn time_row(certificate: &Certificate, now: SystemTime) -> Row {
    let renew = if certificate.made_here {
        "restart callbox: it makes a new one"
    } else {
        "one that callbox got from an authority it renews by itself: `journalctl -u callbox` says why it has not; another one, renew (certbot: `certbot renew`): callbox takes the new files over"
    };
    if certificate.not_before > now {
        let days = seconds(now, certificate.not_before).div_ceil(DAY);
        return Row::failed(
            TIME,
            format!("not valid yet, for {days} more days"),
            "set the clock right: `timedatectl set-ntp true`, here or on the server",
        );
    }
    if certificate.not_after <= now {
        let days = seconds(certificate.not_after, now) / DAY;
        return Row::failed(TIME, format!("expired {days} days ago"), renew);
    }
    let left = seconds(now, certificate.not_after);
    let days = left / DAY;
    let life = seconds(certificate.not_before, certificate.not_after);
    if left < (SOON * DAY).min(life / SOON_PART) {
        return Row::warning(TIME, days.to_string(), renew);
    }
    Row::ok(TIME, days.to_string())
}

fn seconds(from: SystemTime, to: SystemTime) -> u64 {
    to.duration_since(from).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;
    use crate::check::report::Status;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn days(count: u64) -> Duration {
        Duration::from_secs(count * DAY)
    }

    fn params(name: &str, from: SystemTime, to: SystemTime) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (from.into(), to.into());
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params
    }

    fn self_signed(name: &str, from: SystemTime, to: SystemTime) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        params(name, from, to).self_signed(&key).unwrap().into()
    }

    fn read(chain: &[CertificateDer<'_>], given: &[TrustAnchor<'_>]) -> Certificate {
        Certificate::read(chain, given, now()).unwrap()
    }

    #[test]
    fn a_self_signed_one_is_a_warning_unless_it_was_given() {
        let leaf = self_signed("call.example.com", now() - days(1), now() + days(100));
        let chain = [leaf.clone()];
        let certificate = read(&chain, &[]);
        assert_eq!(certificate.trust, Trust::SelfSigned);
        let row = chain_row(&certificate);
        assert_eq!(row.status, Status::Warning);
        assert!(row.found.contains(&certificate.fingerprint));
        let given = webpki::anchor_from_trusted_cert(&leaf).unwrap();
        let certificate = read(&chain, &[given]);
        assert_eq!(certificate.trust, Trust::Given);
        assert_eq!(chain_row(&certificate).status, Status::Ok);
    }

    #[test]
    fn the_chain_has_to_be_whole() {
        let far = (now() - days(1000), now() + days(1000));
        let mut root = params("Root", far.0, far.1);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let mut middle = params("Middle", far.0, far.1);
        middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let middle =
            CertifiedIssuer::signed_by(middle, KeyPair::generate().unwrap(), &root).unwrap();
        let key = KeyPair::generate().unwrap();
        // Expired, which is another row's matter.
        let leaf = params("call.example.com", far.0, now() - days(3))
            .signed_by(&key, &middle)
            .unwrap();
        let given = [webpki::anchor_from_trusted_cert(root.der()).unwrap()];
        let whole = [leaf.der().clone(), middle.der().clone()];
        let certificate = read(&whole, &given);
        assert_eq!(certificate.trust, Trust::Given);
        let row = time_row(&certificate, now());
        assert_eq!(
            (row.status, row.found.as_str()),
            (Status::Failed, "expired 3 days ago")
        );
        assert!(row.remedy.unwrap().contains("certbot renew"));
        let certificate = read(&whole[..1], &given);
        assert!(
            matches!(&certificate.trust, Trust::Unknown { shown: 1, issuer } if issuer.contains("Middle"))
        );
        let row = chain_row(&certificate);
        assert_eq!(row.status, Status::Warning);
        assert!(row.remedy.unwrap().contains("fullchain.pem"));
    }

    #[test]
    fn an_authority_of_the_servers_own_is_known_and_its_remedy_is_to_install_it() {
        let mut root = params("callbox on box", now() - days(1), now() + days(3650));
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let organization = rcgen::DnType::OrganizationName;
        root.distinguished_name.push(organization, tls::LOCAL_CA);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = params("box.local", now() - days(1), now() + days(90));
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let certificate = read(&[leaf.der().clone()], &[]);
        assert_eq!(certificate.trust, Trust::LocalCa);
        assert!(certificate.made_here);
        let row = chain_row(&certificate);
        assert_eq!(row.status, Status::Warning);
        assert!(row.remedy.unwrap().contains("install the authority"));
        let given = [webpki::anchor_from_trusted_cert(root.der()).unwrap()];
        assert_eq!(read(&[leaf.der().clone()], &given).trust, Trust::Given);
    }

    #[test]
    fn names_are_compared_as_browsers_do() {
        let leaf = self_signed("*.example.com", now() - days(1), now() + days(100));
        let mut certificate = read(std::slice::from_ref(&leaf), &[]);
        let names = |names: &[&str]| -> Vec<_> {
            let covered = |name: &&str| ((*name).to_owned(), covers(&leaf, name));
            names.iter().map(covered).collect()
        };
        let good = names_row(&certificate, &names(&["call.example.com"]));
        assert_eq!(good.status, Status::Ok);
        for (wrong, key) in [
            ("example.org", "`domains`"),
            ("192.0.2.7", "`public_ip`"),
            ("::1", "`public_ip`"),
        ] {
            let wrong_names = names(&["call.example.com", wrong]);
            certificate.made_here = false;
            let row = names_row(&certificate, &wrong_names);
            assert_eq!(row.status, Status::Failed, "{wrong}");
            assert_eq!(
                row.found,
                format!("not valid for {wrong}, only for *.example.com")
            );
            assert!(row.remedy.unwrap().contains("get a certificate"));
            certificate.made_here = true;
            let row = names_row(&certificate, &wrong_names);
            assert!(row.remedy.unwrap().contains(key));
        }
        assert!(!covers(&CertificateDer::from(vec![1, 2, 3]), "example.com"));
    }

    #[test]
    fn days_are_counted() {
        let status = |from, to| {
            let certificate = read(&[self_signed("x", from, to)], &[]);
            time_row(&certificate, now()).status
        };
        let before = now() - days(76);
        assert_eq!(status(before, now() + days(14)), Status::Ok);
        assert_eq!(status(before, now() + days(13)), Status::Warning);
        assert_eq!(status(before, now()), Status::Failed);
        // An address's, of six days, is renewed after three.
        assert_eq!(status(now() - days(4), now() + days(2)), Status::Ok);
        assert_eq!(status(now() - days(5), now() + days(1)), Status::Warning);
        assert_eq!(status(now() + days(1), now() + days(2)), Status::Failed);
        let mut ours = params("x", before, now());
        let name = rcgen::DnType::OrganizationName;
        ours.distinguished_name.push(name, tls::ORGANIZATION);
        let ours = ours.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let row = time_row(&read(&[ours.into()], &[]), now());
        assert_eq!(row.remedy.unwrap(), "restart callbox: it makes a new one");
    }

    #[test]
    fn garbage_is_no_certificate() {
        assert!(Certificate::read(&[], &[], now()).is_err());
        assert!(Certificate::read(&[vec![0x30, 0x80].into()], &[], now()).is_err());
        assert!(unreadable("x").remedy.unwrap().contains("`tls.cert`"));
    }
}
