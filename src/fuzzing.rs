//! What the fuzz targets call: bytes go in, and a broken rule is a panic. The ordinary tests replay what is kept in
//! `fuzz/`, so that the targets hold over a change. Those of the relay are callbox-turn's.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use callbox_turn::is_request;
use tokio::io::{AsyncRead, ReadBuf};

use crate::front::connection::Replayed;
use crate::front::sniff::{Protocol, sniff};

/// The first bytes of a connection: whoever they are for gets all of them.
pub fn sniffing(bytes: &[u8]) {
    let Some((lengths, connection)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let (first, later) = connection.split_at(connection.len().min(lengths[0].into()));
    let protocol = sniff(first);
    if let [byte, ..] = first {
        assert_eq!(sniff(&[*byte]), protocol, "one byte is enough");
        let is_turn = is_request(connection);
        assert!(!is_turn || protocol == Protocol::Turn);
    } else {
        assert_eq!(protocol, Protocol::Unknown);
    }
    let mut replayed = Replayed::new(first.to_vec(), later);
    let mut all = Vec::new();
    for size in lengths[1..].iter().cycle() {
        let mut piece = vec![0; usize::from(*size) + 1];
        let mut piece = ReadBuf::new(&mut piece);
        let mut context = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut replayed).poll_read(&mut context, &mut piece);
        assert!(matches!(read, Poll::Ready(Ok(()))));
        if piece.filled().is_empty() {
            break;
        }
        all.extend_from_slice(piece.filled());
    }
    assert_eq!(all, connection);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What found something once, and what reaches far.
    fn replay(name: &str, target: fn(&[u8])) {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let mut count = 0;
        for kind in ["seeds", "regressions"] {
            let Ok(files) = fs::read_dir(fuzz.join(kind).join(name)) else {
                continue;
            };
            for file in files {
                let path = file.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "no seeds of {name}");
    }

    #[test]
    fn first_bytes_are_replayed() {
        replay("sniffing", sniffing);
    }
}
