//! What is kept of an authority: the account, and the certificate with its key.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use instant_acme::AccountCredentials;

use super::order::Issued;
use crate::state::{self, PRIVATE};
use crate::tls::{Identity, provided};

/// The folder of one authority, of mode 0700.
#[derive(Debug)]
pub(super) struct Store {
    account: PathBuf,
    probe: PathBuf,
    /// Chain and key in one file, so that they are exchanged together.
    pub certificate: PathBuf,
}

impl Store {
    /// `directory` is the authority's URL: what one gives is of no use with another.
    pub(super) fn new(state: &Path, directory: &str) -> Self {
        let rest = directory
            .split_once("://")
            .map_or(directory, |(_, rest)| rest);
        let name: String = rest
            .trim_end_matches('/')
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            })
            .take(128)
            .collect();
        let dir = state.join("acme").join(name);
        Self {
            account: dir.join("account.json"),
            probe: dir.join("room"),
            certificate: dir.join("certificate.pem"),
        }
    }

    /// Is there room for another account and another certificate? The authority counts those that are lost, too.
    ///
    /// # Errors
    /// When nothing can be written.
    pub(super) fn check_room(&self) -> anyhow::Result<()> {
        const ENOUGH: usize = 16 * 1024;
        keep(&self.probe, &[b'\n'; ENOUGH])?;
        Ok(fs::remove_file(&self.probe)?)
    }

    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn account(&self) -> anyhow::Result<Option<AccountCredentials>> {
        let Some(text) = read(&self.account)? else {
            return Ok(None);
        };
        serde_json::from_slice(&text).map(Some).with_context(|| {
            let path = self.account.display();
            format!("{path} is damaged; delete it to have a new account made")
        })
    }

    /// # Errors
    /// When it cannot be written; the old one is untouched then.
    pub(super) fn keep_account(&self, account: &AccountCredentials) -> anyhow::Result<()> {
        keep(&self.account, &serde_json::to_vec(account)?)
    }

    /// The authority knows it no longer.
    pub(super) fn forget_account(&self) {
        // The next one takes its place anyway.
        let _ = fs::remove_file(&self.account);
    }

    /// # Errors
    /// When it is there and cannot be used.
    pub(super) fn identity(&self) -> anyhow::Result<Option<Identity>> {
        let Some(pem) = read(&self.certificate)? else {
            return Ok(None);
        };
        let identity = provided::pair(&pem, &pem)
            .with_context(|| format!("{} is damaged", self.certificate.display()))?;
        Ok(Some(identity))
    }

    /// # Errors
    /// When what was issued cannot be used, or cannot be written; the old one is untouched then.
    pub(super) fn keep_identity(&self, issued: &Issued) -> anyhow::Result<Identity> {
        let pem = format!("{}\n{}", issued.chain.trim_end(), issued.key);
        let identity = provided::pair(pem.as_bytes(), pem.as_bytes())
            .context("what the authority issued cannot be used")?;
        keep(&self.certificate, pem.as_bytes())?;
        Ok(identity)
    }
}

fn keep(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let write = || {
        if let Some(dir) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(dir)?;
        }
        state::replace(path, contents, PRIVATE)
    };
    write().map_err(|error| state::unwritable(path, "state", error))
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_authority_has_a_folder_of_its_own() {
        let path = |directory: &str| Store::new(Path::new("s"), directory).account;
        assert_eq!(
            path("https://acme.example/dir"),
            Path::new("s/acme/acme.example-dir/account.json")
        );
        assert_ne!(
            path("https://a.example:14000/dir"),
            path("https://a.example/dir")
        );
        let hostile = path("https://../../etc/passwd");
        assert_eq!(hostile.components().count(), 4, "{}", hostile.display());
    }

    #[test]
    fn a_damaged_certificate_is_an_error_and_none_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "https://acme.example/dir");
        assert!(store.identity().unwrap().is_none());
        assert!(store.account().unwrap().is_none());
        let issued = Issued {
            chain: "rubbish".into(),
            key: "rubbish".into(),
        };
        assert!(store.keep_identity(&issued).is_err());
        assert!(!store.certificate.exists(), "nothing is kept of it");
        fs::create_dir_all(store.certificate.parent().unwrap()).unwrap();
        fs::write(&store.certificate, "rubbish").unwrap();
        let error = store.identity().unwrap_err();
        assert!(error.to_string().contains("is damaged"));
    }
}
