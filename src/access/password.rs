//! Passwords: Argon2id (RFC 9106), a few at a time, since each takes some megabytes and a tenth of a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use argon2::password_hash::{Output, PasswordHash, PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
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
pub struct Verifier {
    hash: Secret,
    places: Arc<Semaphore>,
    /// What hashing works in, used again: allocators keep such blocks for each thread that has had one.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
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
            places: Arc::new(Semaphore::new(AT_ONCE)),
            memory: Arc::default(),
        }
    }

    pub async fn verify(&self, password: String) -> Verdict {
        if password.len() > LONGEST {
            return Verdict::Wrong;
        }
        let places = Arc::clone(&self.places);
        let Ok(Ok(place)) = timeout(PATIENCE, places.acquire_owned()).await else {
            return Verdict::Busy;
        };
        let hash = self.hash.clone();
        let memory = Arc::clone(&self.memory);
        let verified = tokio::task::spawn_blocking(move || {
            // Hashing goes on when whoever asked is gone, and so does its place.
            let _place = place;
            let lock = || memory.lock().unwrap_or_else(PoisonError::into_inner);
            let mut blocks = lock().pop().unwrap_or_default();
            let right = is_right(&password, hash.expose(), &mut blocks);
            lock().push(blocks);
            right
        });
        match verified.await {
            Ok(Some(true)) => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }
}

/// `None` for a hash that is none.
fn is_right(password: &str, hash: &str, blocks: &mut Vec<Block>) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm).ok()?;
    let version = hash.version.unwrap_or(Version::V0x13.into());
    let version = Version::try_from(version).ok()?;
    let params = Params::try_from(&hash).ok()?;
    blocks.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(algorithm, version, params);
    let mut buffer = [0; 64];
    let salt = hash.salt?.decode_b64(&mut buffer).ok()?;
    let expected = hash.hash?;
    let found = Output::init_with(expected.len(), |out| {
        let hashed =
            argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut blocks[..]);
        Ok(hashed?)
    });
    // Compared in constant time.
    Some(found.ok()? == expected)
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

    #[tokio::test]
    async fn who_goes_away_leaves_a_place_when_the_hash_is_done() {
        let verifier = Verifier::new(Secret::new(hash("correct horse").unwrap()));
        tokio::select! {
            biased;
            _ = verifier.verify("a guess".to_owned()) => panic!("it takes longer"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(verifier.places.available_permits(), AT_ONCE - 1);
        let _all = verifier.places.acquire_many(2).await.unwrap();
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
