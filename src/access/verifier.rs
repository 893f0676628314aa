//! Verifies passwords a few at a time, since each takes some megabytes and a tenth of a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::words::password::{LONGEST, Memory, PasswordHash};

const AT_ONCE: usize = 2;
/// Others have to wait, but not for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Verifies passwords against one hash.
pub(super) struct Verifier {
    hash: PasswordHash,
    places: Arc<Semaphore>,
    /// What hashing works in, used again: allocators keep such blocks for each thread that has had one.
    memory: Arc<Mutex<Vec<Memory>>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many others are being verified.
    Busy,
}

impl Verifier {
    pub(super) fn new(hash: PasswordHash) -> Self {
        Self {
            hash,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            memory: Arc::default(),
        }
    }

    pub(super) async fn verify(&self, password: String) -> Verdict {
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
            let mut own = lock().pop().unwrap_or_default();
            let right = hash.is_of(&password, &mut own);
            lock().push(own);
            right
        });
        match verified.await {
            Ok(true) => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::password::hash;

    fn verifier(password: &str) -> Verifier {
        Verifier::new(hash(password).unwrap())
    }

    #[tokio::test]
    async fn the_right_password_is_right() {
        let verifier = verifier("correct horse");
        let verify = |text: &str| verifier.verify(text.to_owned());
        assert_eq!(verify("correct horse").await, Verdict::Right);
        assert_eq!(verify("correct horsf").await, Verdict::Wrong);
        assert_eq!(verify("").await, Verdict::Wrong);
        assert_eq!(verify(&"x".repeat(LONGEST + 1)).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_a_place_when_the_hash_is_done() {
        let verifier = verifier("correct horse");
        tokio::select! {
            biased;
            _ = verifier.verify("a guess".to_owned()) => panic!("it takes longer"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(verifier.places.available_permits(), AT_ONCE - 1);
        let _all = verifier.places.acquire_many(2).await.unwrap();
    }
}
