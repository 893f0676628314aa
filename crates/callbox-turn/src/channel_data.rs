//! `ChannelData` messages (RFC 8656 §12.4), read and written in place. Pure.
//!
//! ```text
//!  0                   1                   2                   3
//! +-------------------------------+-------------------------------+
//! |    channel number, 0x4000..   |   length of the data, bytes   |
//! +-------------------------------+-------------------------------+
//! |    data; over TCP and TLS padded to a multiple of 4 bytes     |
//! ```

use std::ops::{Range, RangeInclusive};

/// Bytes in front of the data.
pub const HEADER: usize = 4;
/// Channel numbers that may be bound (RFC 8656 §12).
pub const NUMBERS: RangeInclusive<u16> = 0x4000..=0x4fff;

/// Does a message that begins with this byte belong to a channel?
pub fn is_channel_data(first: u8) -> bool {
    (0x40..=0x4f).contains(&first)
}

/// The channel's number, and where the data is; `None` for a message that was cut.
pub fn parse(message: &[u8]) -> Option<(u16, Range<usize>)> {
    let [n0, n1, l0, l1] = *message.first_chunk()?;
    let end = HEADER + usize::from(u16::from_be_bytes([l0, l1]));
    (end <= message.len()).then_some((u16::from_be_bytes([n0, n1]), HEADER..end))
}

/// Writes the header in front of `data`, which begins at [`HEADER`] or later; gives the whole message. `None` where
/// there is no room, or more data than the length can say.
pub fn write_header(buffer: &mut [u8], number: u16, data: Range<usize>) -> Option<Range<usize>> {
    let length = u16::try_from(data.len()).ok()?;
    let start = data.start.checked_sub(HEADER)?;
    let [n0, n1] = number.to_be_bytes();
    let [l0, l1] = length.to_be_bytes();
    *buffer.get_mut(start..)?.first_chunk_mut()? = [n0, n1, l0, l1];
    Some(start..data.end)
}

/// A length made a multiple of 4.
pub const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = *b"....hello";
        let message = write_header(&mut buffer, 0x4001, 4..9).unwrap();
        assert_eq!(message, 0..9);
        assert_eq!(buffer[message.clone()], *b"\x40\x01\x00\x05hello");
        assert_eq!(parse(&buffer[message]), Some((0x4001, 4..9)));
    }

    #[test]
    fn cut_messages_are_not_read_and_padding_is_left_out() {
        assert_eq!(parse(b"\x40\x01\x00\x00"), Some((0x4001, 4..4)));
        assert_eq!(parse(b"\x40\x01\x00\x01x\0\0\0"), Some((0x4001, 4..5)));
        for cut in [&b""[..], b"\x40", b"\x40\x01\x00", b"\x40\x01\x00\x02x"] {
            assert_eq!(parse(cut), None);
        }
        assert_eq!([0, 1, 4, 5].map(padded), [0, 4, 4, 8]);
    }
}
