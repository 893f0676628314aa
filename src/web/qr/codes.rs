//! QR codes that were made before, and who may have another one made: that takes milliseconds of a processor.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use lru::LruCache;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::limits::AddressRate;
use crate::refused::Refused;

/// Of links and drawings together.
const MOST_BYTES: usize = 1024 * 1024;
/// For one address, behind which there may be a whole house: each link costs it once, until it is forgotten.
const NEW_PER_MINUTE: u32 = 120;
/// Of the threads for what blocks: what strangers ask for leaves the other processors to calls.
const AT_ONCE: usize = 1;
const WAIT: Duration = Duration::from_secs(2);

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoCode {
    TooLong,
    /// The address has had its share.
    TooMany,
    /// Too many others have one made.
    Busy,
}

/// Draws a link; `None` where it is too long.
type Draw = fn(&str) -> Option<String>;

pub(crate) struct Codes {
    draw: Draw,
    kept: Mutex<Kept>,
    rate: AddressRate,
    places: Arc<Semaphore>,
}

impl Codes {
    pub(crate) fn new(draw: Draw) -> Arc<Self> {
        Arc::new(Self {
            draw,
            kept: Mutex::new(Kept::new(MOST_BYTES)),
            rate: AddressRate::per_minute(NEW_PER_MINUTE),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The code of this link, for somebody at this address.
    ///
    /// # Errors
    /// [`NoCode`] says which bound is reached.
    pub(crate) async fn of(self: &Arc<Self>, link: String, asker: IpAddr) -> Result<Bytes, NoCode> {
        if let Some(code) = self.kept(&link) {
            return Ok(code);
        }
        if !self.rate.allows(asker, Instant::now()) {
            Refused::QrRate.count();
            return Err(NoCode::TooMany);
        }
        let waiting = timeout(WAIT, Arc::clone(&self.places).acquire_owned());
        let Ok(Ok(place)) = waiting.await else {
            Refused::QrAtOnce.count();
            return Err(NoCode::Busy);
        };
        let codes = Arc::clone(self);
        let drawing = spawn_blocking(move || {
            // To the end of the work, even where nobody waits for it any longer.
            let _place = place;
            codes.kept(&link).or_else(|| codes.make(link))
        });
        drawing.await.ok().flatten().ok_or(NoCode::TooLong)
    }

    fn make(&self, link: String) -> Option<Bytes> {
        let code = Bytes::from((self.draw)(&link)?);
        self.lock().put(link, code.clone());
        Some(code)
    }

    fn kept(&self, link: &str) -> Option<Bytes> {
        self.lock().codes.get(link).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was asked for last, within a number of bytes.
struct Kept {
    codes: LruCache<String, Bytes>,
    bytes: usize,
    most: usize,
}

impl Kept {
    fn new(most: usize) -> Self {
        Self {
            codes: LruCache::unbounded(),
            bytes: 0,
            most,
        }
    }

    fn put(&mut self, link: String, code: Bytes) {
        self.bytes += link.len() + code.len();
        if let Some((link, code)) = self.codes.push(link, code) {
            self.bytes -= link.len() + code.len();
        }
        while self.bytes > self.most {
            let Some((link, code)) = self.codes.pop_lru() else {
                break;
            };
            self.bytes -= link.len() + code.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn drawn(link: &str) -> Option<String> {
        (link.len() < 100).then(|| format!("drawing of {link}"))
    }

    #[tokio::test]
    async fn a_code_is_made_once_and_costs_its_asker_once() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let codes = Codes::new(|link| {
            MADE.fetch_add(1, Ordering::Relaxed);
            drawn(link)
        });
        for _ in 0..500 {
            let code = codes.of("a".to_owned(), ip(1)).await.unwrap();
            assert_eq!(code, "drawing of a");
        }
        assert_eq!(MADE.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn who_asks_for_ever_new_ones_has_a_share_and_others_theirs() {
        let codes = Codes::new(drawn);
        let mut refused = 0;
        for number in 0..400 {
            refused +=
                usize::from(codes.of(number.to_string(), ip(1)).await == Err(NoCode::TooMany));
        }
        assert!(refused > 200, "{refused}");
        assert!(codes.of("another".to_owned(), ip(2)).await.is_ok());
        // What is there costs nothing.
        assert!(codes.of("another".to_owned(), ip(1)).await.is_ok());
        let long = codes.of("x".repeat(200), ip(2)).await;
        assert_eq!(long, Err(NoCode::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_had_while_others_wait_and_those_do_not_wait_for_ever() {
        let codes = Codes::new(drawn);
        codes.of("there".to_owned(), ip(1)).await.unwrap();
        let _busy = Arc::clone(&codes.places).acquire_owned().await.unwrap();
        assert!(codes.of("there".to_owned(), ip(2)).await.is_ok());
        assert_eq!(codes.of("new".to_owned(), ip(2)).await, Err(NoCode::Busy));
    }

    #[test]
    fn the_oldest_go_and_the_bytes_are_counted() {
        let mut kept = Kept::new(100);
        for number in 0..50 {
            kept.put(format!("link{number:02}"), Bytes::from_static(&[b'x'; 14]));
            assert!(kept.bytes <= 100);
        }
        assert_eq!((kept.codes.len(), kept.bytes), (5, 100));
        kept.put("link49".to_owned(), Bytes::from_static(b"y"));
        assert_eq!((kept.codes.len(), kept.bytes), (5, 87));
        kept.put("big".to_owned(), Bytes::from(vec![b'z'; 200]));
        assert_eq!((kept.codes.len(), kept.bytes), (0, 0));
    }
}
