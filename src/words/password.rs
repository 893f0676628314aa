//! Passwords and their hashes: Argon2id (RFC 9106) in the PHC's string format.

use std::fmt;

use anyhow::bail;
use argon2::password_hash::{self, Output, PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::secret::{Secret, random_hex};

/// OWASP's recommendation for Argon2id with 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Characters.
const SHORTEST: usize = 8;
/// Bytes. Beyond that, hashing would be work for nothing.
pub(crate) const LONGEST: usize = 256;

/// A hash that passwords can be compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHash(Secret);

/// What hashing works in: about 19 MiB once it was used.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl PasswordHash {
    /// `None` unless it is an Argon2id hash.
    pub fn parse(text: &Secret) -> Option<Self> {
        let hash = password_hash::PasswordHash::new(text.expose()).ok()?;
        (hash.algorithm == argon2::ARGON2ID_IDENT).then(|| Self(text.clone()))
    }

    /// `$argon2id$…`
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Is it this password's? Blocks for a tenth of a second.
    pub fn is_of(&self, password: &str, memory: &mut Memory) -> bool {
        self.compare(password, &mut memory.0).unwrap_or(false)
    }

    /// `None` where the hash asks for what Argon2 cannot do.
    fn compare(&self, password: &str, blocks: &mut Vec<Block>) -> Option<bool> {
        let hash = password_hash::PasswordHash::new(self.0.expose()).ok()?;
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
            let hashed = argon2.hash_password_into_with_memory(
                password.as_bytes(),
                salt,
                out,
                &mut blocks[..],
            );
            Ok(hashed?)
        });
        // Compared in constant time.
        Some(found.ok()? == expected)
    }
}

/// The hash of a password, with a salt of its own. Blocks for a tenth of a second.
///
/// # Errors
/// When it is too short or too long, or the system has no randomness.
pub(crate) fn hash(password: &str) -> anyhow::Result<PasswordHash> {
    if password.chars().count() < SHORTEST {
        bail!("a password has at least {SHORTEST} characters");
    }
    if password.len() > LONGEST {
        bail!("a password has at most {LONGEST} bytes");
    }
    let salt = random_hex::<16>()?;
    let salt = SaltString::from_b64(&salt).map_err(|error| anyhow::anyhow!("no salt: {error}"))?;
    let hash = argon2()?
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| anyhow::anyhow!("not hashed: {error}"))?;
    Ok(PasswordHash(Secret::new(hash.to_string())))
}

fn argon2() -> anyhow::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|error| anyhow::anyhow!("Argon2 refuses its settings: {error}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_is_another_and_is_read_back() {
        let first = hash("correct horse").unwrap();
        assert_ne!(first, hash("correct horse").unwrap());
        assert!(
            first
                .expose()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            first.expose()
        );
        assert_eq!(PasswordHash::parse(&first.0), Some(first.clone()));
        let mut memory = Memory::default();
        assert!(first.is_of("correct horse", &mut memory));
        assert!(!first.is_of("correct horsf", &mut memory));
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
            assert_eq!(PasswordHash::parse(&Secret::new(text)), None, "{text}");
        }
    }
}
