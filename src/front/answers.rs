//! Which requests on an HTTP/2 connection wait for the end of their answer, and since when nothing of it has passed. Pure.
//!
//! What is written is read along: only the frames themselves tell whether an answer moves. A receiver that gives no window
//! keeps a connection busy with PINGs for as long as it likes (RFC 9113 §5.2, §6.7).

use std::time::Instant;

/// RFC 9113 §3.4, as far as needed to tell.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113 §4.1
const FRAME_HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;
/// Answers that are looked after: more than the server lets a client have at once.
const MOST: usize = 256;

/// What is known of one HTTP/2 connection.
#[derive(Debug, Default)]
pub(super) struct Answers {
    received: Frames,
    sent: Frames,
    /// Streams in the order of their requests, and when something of the answer passed last. [`MOST`], also of a client
    /// that asks for more than it may.
    open: Vec<(u32, Instant)>,
    /// When something of any answer passed.
    moved: Option<Instant>,
}

/// Cuts one direction into frames.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; FRAME_HEAD],
    held: usize,
    /// Bytes that are left of what is not looked at.
    skip: usize,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Answers {
    /// Of a client that begins with these bytes; `None` where it speaks HTTP/1.1.
    pub(super) fn of(first: &[u8]) -> Option<Self> {
        // Three bytes tell: no method of HTTP/1.1 begins with them.
        first.starts_with(&PREFACE[..3]).then(|| Self {
            received: Frames {
                skip: PREFACE.len(),
                ..Frames::default()
            },
            ..Self::default()
        })
    }

    /// These bytes came from the client.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        let Self { received, open, .. } = self;
        received.each(bytes, |frame| match frame.kind {
            HEADERS
                if open.len() < MOST
                    && open.last().is_none_or(|(last, _)| *last < frame.stream) =>
            {
                open.push((frame.stream, now));
            }
            RST_STREAM => open.retain(|(stream, _)| *stream != frame.stream),
            _ => {}
        });
    }

    /// These bytes went to the client.
    pub(super) fn sent(&mut self, bytes: &[u8], now: Instant) {
        let Self {
            sent, open, moved, ..
        } = self;
        sent.each(bytes, |frame| {
            let is_answer = matches!(frame.kind, DATA | HEADERS);
            if is_answer {
                *moved = Some(now);
            }
            if frame.kind == RST_STREAM || is_answer && frame.flags & END_STREAM != 0 {
                open.retain(|(stream, _)| *stream != frame.stream);
            } else if is_answer
                && let Some(answer) = open.iter_mut().find(|(stream, _)| *stream == frame.stream)
            {
                answer.1 = now;
            }
        });
    }

    /// How many answers are not complete.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Since when nothing has passed of the answer that has waited longest.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.open.iter().map(|(_, since)| *since).min()
    }

    /// When something of any answer passed last.
    pub(super) fn moved(&self) -> Option<Instant> {
        self.moved
    }
}

impl Frames {
    fn each(&mut self, mut bytes: &[u8], mut visit: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let taken = (FRAME_HEAD - self.held).min(bytes.len());
            self.head[self.held..self.held + taken].copy_from_slice(&bytes[..taken]);
            self.held += taken;
            bytes = &bytes[taken..];
            if self.held == FRAME_HEAD {
                let [a, b, c, kind, flags, stream @ ..] = self.head;
                self.held = 0;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
                visit(Frame {
                    kind,
                    flags,
                    stream,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn asked(streams: &[u32]) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(4, 0, 0, &[0; 6]));
        for stream in streams {
            bytes.extend(frame(HEADERS, 5, *stream, b"\x82"));
        }
        bytes
    }

    #[test]
    fn an_answer_is_open_until_its_end_has_been_sent() {
        let start = Instant::now();
        let mut answers = Answers::of(&asked(&[])[..3]).unwrap();
        answers.received(&asked(&[1, 3, 5]), start);
        assert_eq!(answers.open(), 3);
        answers.sent(&frame(HEADERS, 4, 1, b"\x88"), start);
        answers.sent(&frame(HEADERS, 5, 3, b"\x88"), start);
        assert_eq!(answers.open(), 2, "one without a body");
        answers.sent(&frame(DATA, END_STREAM, 1, b"whole"), start);
        assert_eq!(answers.open(), 1);
        answers.received(&frame(RST_STREAM, 0, 5, &[0; 4]), start);
        assert_eq!((answers.open(), answers.waiting_since()), (0, None));
    }

    #[test]
    fn pings_are_no_progress_and_data_is() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut answers = Answers::of(PREFACE).unwrap();
        answers.received(&asked(&[1, 3]), start);
        answers.sent(&frame(HEADERS, 4, 1, b"\x88"), after(1));
        for second in 2..9 {
            answers.received(&frame(PING, 0, 0, &[0; 8]), after(second));
            answers.sent(&frame(PING, 1, 0, &[0; 8]), after(second));
        }
        assert_eq!(answers.moved(), Some(after(1)));
        assert_eq!(answers.waiting_since(), Some(start), "the second");
        answers.sent(&frame(DATA, 0, 3, b"half"), after(9));
        assert_eq!(answers.waiting_since(), Some(after(1)), "the first");
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let start = Instant::now();
        let mut bytes = asked(&[1, 3]);
        bytes.extend(frame(DATA, 1, 3, &[HEADERS; 300]));
        bytes.extend(frame(HEADERS, 5, 5, b"\x82"));
        for size in [1, 2, 7, 9, 10, 64] {
            let mut answers = Answers::of(PREFACE).unwrap();
            for piece in bytes.chunks(size) {
                answers.received(piece, start);
            }
            assert_eq!(answers.open(), 3, "in pieces of {size}");
        }
    }

    #[test]
    fn trailers_are_no_request_of_their_own() {
        let mut answers = Answers::of(PREFACE).unwrap();
        answers.received(&asked(&[1, 3]), Instant::now());
        answers.received(&frame(HEADERS, 5, 1, b"\x82"), Instant::now());
        assert_eq!(answers.open(), 2);
    }

    #[test]
    fn what_is_kept_of_a_client_that_asks_without_end_is_bounded() {
        let mut answers = Answers::of(PREFACE).unwrap();
        let streams: Vec<_> = (1..4000).step_by(2).collect();
        answers.received(&asked(&streams), Instant::now());
        assert_eq!(answers.open(), MOST);
    }

    #[test]
    fn other_protocols_are_told_apart() {
        for first in ["GET / HTTP/1.1", "POST /", "PUT /", "P", ""] {
            assert!(Answers::of(first.as_bytes()).is_none(), "{first}");
        }
    }
}
