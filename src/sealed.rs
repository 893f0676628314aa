//! Text that only this server can have written. Pure: key and time are arguments.
//!
//! `field.field.….expiry.mac`, with an HMAC-SHA256 over all before it. What such a text means stands in its first field, so
//! that none can be taken for another.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// The key that seals.
#[derive(Clone, Debug)]
pub(crate) struct SealKey(hmac::Key);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("it was not issued by this server")]
    Invalid,
    #[error("it has expired")]
    Expired,
}

impl SealKey {
    pub(crate) fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// No field may hold a dot.
    pub(crate) fn seal(&self, fields: &[&str], expiry: SystemTime) -> String {
        debug_assert!(fields.iter().all(|field| !field.contains('.')));
        let body = format!("{}.{}", fields.join("."), seconds(expiry));
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, body.as_bytes()));
        format!("{body}.{mac}")
    }

    /// The fields of a text that was sealed with this key and has not expired.
    ///
    /// # Errors
    /// When it is any other text.
    pub(crate) fn open<'a>(
        &self,
        text: &'a str,
        now: SystemTime,
    ) -> Result<Vec<&'a str>, SealError> {
        let (body, mac) = text.rsplit_once('.').ok_or(SealError::Invalid)?;
        let mac = URL_SAFE_NO_PAD
            .decode(mac)
            .map_err(|_| SealError::Invalid)?;
        hmac::verify(&self.0, body.as_bytes(), &mac).map_err(|_| SealError::Invalid)?;
        let (fields, expiry) = body.rsplit_once('.').ok_or(SealError::Invalid)?;
        let expiry: u64 = expiry.parse().map_err(|_| SealError::Invalid)?;
        if expiry <= seconds(now) {
            return Err(SealError::Expired);
        }
        Ok(fields.split('.').collect())
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
