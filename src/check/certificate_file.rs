//! Is the certificate on the disk the one that the server shows? Pure.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::report::{Row, quote};
use crate::tls::{self, Maker};

const NAME: &str = "certificate: file";

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OnDisk {
    Missing,
    /// This user may not read it.
    Hidden,
    Broken(String),
    There(Vec<CertificateDer<'static>>),
}

/// What the running server shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub fingerprint: &'a str,
    /// Has callbox made it?
    pub made_here: bool,
}

/// `shown`: `None` where no server runs.
pub(super) fn row(disk: &OnDisk, path: &Path, shown: Option<Shown<'_>>, maker: Maker) -> Row {
    let file = path.display();
    match disk {
        OnDisk::Missing if maker == Maker::Callbox && shown.is_none() => {
            Row::ok(NAME, format!("{file} will be made at the first start"))
        }
        OnDisk::Missing if maker == Maker::Authority && shown.is_none() => {
            Row::ok(NAME, "will be asked for at the first start")
        }
        OnDisk::Missing if maker == Maker::Authority && shown.is_some_and(|it| it.made_here) => {
            Row::warning(
                NAME,
                "the authority has issued none yet, and one of callbox's making stands in",
                "`journalctl -u callbox` says why; the authority has to reach each of the `domains`, or the public address, on port 80 or 443 from the internet",
            )
        }
        OnDisk::Missing if maker != Maker::Operator => Row::warning(
            NAME,
            format!("{file} is not there, so the server that runs has another one"),
            "run the check in the folder and with the configuration of the server (`--config`)",
        ),
        OnDisk::Missing => Row::failed(
            NAME,
            format!("{file} is not there"),
            "let `tls.cert` name the file with the whole chain",
        ),
        OnDisk::Hidden => Row::skipped(
            NAME,
            format!("{file} is for another user to read: run the check as root"),
        ),
        OnDisk::Broken(why) => Row::failed(
            NAME,
            format!("{file}: {}", quote(why)),
            "let `tls.cert` name a PEM file with the whole chain; one of callbox's making is made anew where cert.pem and key.pem are deleted",
        ),
        OnDisk::There(chain) => match (fingerprint(chain), shown) {
            (Some(there), Some(shown)) if there != shown.fingerprint => Row::warning(
                NAME,
                format!("the server shows another certificate than {file} holds"),
                "`sudo systemctl reload callbox` has it looked at again, and `journalctl -u callbox` says why it was refused; no restart before that is mended: a server that stops may not start again",
            ),
            (Some(_), Some(_)) => Row::ok(NAME, format!("{file} is what the server shows")),
            (Some(_), None) => Row::ok(NAME, format!("{file} can be read")),
            (None, _) => row(
                &OnDisk::Broken("it is not an X.509 certificate".to_owned()),
                path,
                shown,
                maker,
            ),
        },
    }
}

fn fingerprint(chain: &[CertificateDer<'_>]) -> Option<String> {
    let facts = tls::facts(chain.first()?).ok()?;
    Some(facts.fingerprint)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::check::report::Status;

    fn judged(disk: &OnDisk, shown: Option<&str>, maker: Maker) -> Row {
        let shown = shown.map(|fingerprint| Shown {
            fingerprint,
            made_here: true,
        });
        row(disk, Path::new("certs/cert.pem"), shown, maker)
    }

    #[test]
    fn a_certificate_that_was_not_taken_over_is_no_reason_for_a_restart() {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["x".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let there = OnDisk::There(vec![leaf.der().clone()]);
        let shown = fingerprint(&[leaf.der().clone()]).unwrap();
        assert_eq!(
            judged(&there, Some(&shown), Maker::Callbox).status,
            Status::Ok
        );
        assert_eq!(judged(&there, None, Maker::Callbox).status, Status::Ok);
        let other = judged(&there, Some("AB:CD"), Maker::Callbox);
        assert_eq!(other.status, Status::Warning);
        let remedy = other.remedy.unwrap();
        assert!(remedy.contains("systemctl reload callbox"), "{remedy}");
        assert!(!remedy.contains("systemctl restart"), "{remedy}");
    }

    #[test]
    fn what_is_not_there_or_no_certificate_has_its_remedy() {
        assert_eq!(
            judged(&OnDisk::Missing, None, Maker::Callbox).status,
            Status::Ok
        );
        assert_eq!(
            judged(&OnDisk::Missing, Some("AB"), Maker::Callbox).status,
            Status::Warning
        );
        assert_eq!(
            judged(&OnDisk::Missing, None, Maker::Authority).status,
            Status::Ok
        );
        let row = judged(&OnDisk::Missing, Some("AB"), Maker::Authority);
        assert_eq!(row.status, Status::Warning);
        assert!(row.found.contains("issued none yet"), "{}", row.found);
        assert!(row.remedy.unwrap().contains("port 80"));
        let issued = Shown {
            fingerprint: "AB",
            made_here: false,
        };
        let elsewhere = super::row(
            &OnDisk::Missing,
            Path::new("state/acme"),
            Some(issued),
            Maker::Authority,
        );
        assert!(elsewhere.remedy.unwrap().contains("`--config`"));
        assert_eq!(
            judged(&OnDisk::Missing, None, Maker::Operator).status,
            Status::Failed
        );
        assert_eq!(
            judged(&OnDisk::Hidden, None, Maker::Operator).status,
            Status::Skipped
        );
        for broken in [
            OnDisk::Broken("no PEM".to_owned()),
            OnDisk::There(vec![vec![1, 2].into()]),
        ] {
            let row = judged(&broken, None, Maker::Operator);
            assert_eq!(row.status, Status::Failed);
            assert!(row.remedy.unwrap().contains("`tls.cert`"));
        }
    }
}
