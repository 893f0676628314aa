//! Passwords: Argon2id (RFC 9106), a few at a time, since each takes some megabytes and a tenth of a second.

use std::time::Duration;

use anyhow::bail;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::Secret;

/// OWASP's recommendation for Argon2id with 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const AT_ONCE: usize = 2;
/// Others have to wait, but not for longer.
const PATIENCE: Duration = Duration::from_secs(5);
const SHORTEST: usize = 8;
/// Beyond that, hashing would be work for nothing.
pub const LONGEST: usize = 256;

/// The hash of a password, in the PHC's string format.
///
/// # Errors
/// When it is too short or too long, or the system has no randomness.
pub fn hash(password: &str) -> anyhow::Result<String> {
    if password.chars().count() < SHORTEST {
        bail!("a password has at least {SHORTEST} characters");
    }
    if password.len() > LONGEST {
        bail!("a password has at most {LONGEST} bytes");
    }
    let salt = crate::state::random_hex::<16>()?;
    let salt = SaltString::from_b64(&salt).map_err(|error| anyhow::anyhow!("no salt: {error}"))?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt);
    Ok(hash
        .map_err(|error| anyhow::anyhow!("not hashed: {error}"))?
        .to_string())
}

fn argon2() -> anyhow::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|error| anyhow::anyhow!("Argon2 refuses its settings: {error}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Is this a hash that [`Verifier`] can use?
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.algorithm == argon2::ARGON2ID_IDENT)
}

/// Verifies passwords against one hash.
#[derive(Debug)]
pub struct Verifier {
    hash: Secret,
    places: Semaphore,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
    /// Too many others are being verified.
    Busy,
}

impl Verifier {
    pub fn new(hash: Secret) -> Self {
        Self {
            hash,
            places: Semaphore::new(AT_ONCE),
        }
    }

    pub async fn verify(&self, password: String) -> Verdict {
        if password.len() > LONGEST {
            return Verdict::Wrong;
        }
        let Ok(Ok(_place)) = timeout(PATIENCE, self.places.acquire()).await else {
            return Verdict::Busy;
        };
        let hash = self.hash.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(hash.expose()).ok()?;
            let parameters = Argon2::default();
            parameters.verify_password(password.as_bytes(), &hash).ok()
        });
        match verified.await {
            Ok(Some(())) => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_right_and_every_hash_is_another() {
        let first = hash("correct horse").unwrap();
        assert_ne!(first, hash("correct horse").unwrap());
        assert!(
            first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{first}"
        );
        assert!(is_hash(&first));
        let verifier = Verifier::new(Secret::new(first));
        let verify = |text: &str| verifier.verify(text.to_owned());
        assert_eq!(verify("correct horse").await, Verdict::Right);
        assert_eq!(verify("correct horsf").await, Verdict::Wrong);
        assert_eq!(verify("").await, Verdict::Wrong);
        assert_eq!(verify(&"x".repeat(LONGEST + 1)).await, Verdict::Wrong);
    }

    #[test]
    fn bad_passwords_and_hashes_are_refused() {
        assert!(hash("short").is_err());
        assert!(hash(&"x".repeat(LONGEST + 1)).is_err());
        for text in [
            "",
            "password",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2i$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
        ] {
            assert!(!is_hash(text), "{text}");
        }
    }
}
