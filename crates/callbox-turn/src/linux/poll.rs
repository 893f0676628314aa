//! What a shard waits for, and how much it asks for.

use rustix::event::epoll;

use crate::engine::AllocationId;

/// What the poll tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// Somebody has woken the thread.
    Commands,
    /// A deadline has come.
    Timer,
    /// A listening socket, by its number.
    Listener(u32),
    /// The socket of an allocation.
    Relay(AllocationId),
    /// A stream, by its number.
    Stream(u32),
}

impl From<Token> for epoll::EventData {
    fn from(token: Token) -> Self {
        let (kind, index) = match token {
            Token::Commands => (0, 0),
            Token::Timer => (0, 1),
            Token::Listener(index) => (1, index),
            Token::Relay(id) => (2, id.0),
            Token::Stream(key) => (3, key),
        };
        Self::new_u64((kind << 32) | u64::from(index))
    }
}

impl From<epoll::EventData> for Token {
    fn from(data: epoll::EventData) -> Self {
        let index = u32::try_from(data.u64() & u64::from(u32::MAX)).unwrap_or_default();
        match data.u64() >> 32 {
            1 => Self::Listener(index),
            2 => Self::Relay(AllocationId(index)),
            3 => Self::Stream(index),
            _ if index == 1 => Self::Timer,
            _ => Self::Commands,
        }
    }
}

/// How many datagrams to ask a socket for at once: as many as came of late. To ask for one costs the kernel least, and
/// the poll tells again where more is waiting.
#[derive(Debug, Clone, Copy)]
pub struct Batch(u8);

impl Default for Batch {
    fn default() -> Self {
        Self(1)
    }
}

impl Batch {
    const MAX: u8 = 64;

    /// How many to ask for: 1 to 64.
    pub fn size(self) -> usize {
        self.0.into()
    }

    /// The last call asked for so many and got so many.
    pub fn came(&mut self, received: usize, asked: usize) {
        self.0 = if received < asked {
            u8::try_from(received).unwrap_or(Self::MAX).max(1)
        } else {
            self.0.saturating_mul(2).min(Self::MAX)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernels_form() {
        for token in [
            Token::Commands,
            Token::Timer,
            Token::Listener(0),
            Token::Listener(7),
            Token::Relay(AllocationId(u32::MAX)),
            Token::Stream(1),
        ] {
            assert_eq!(Token::from(epoll::EventData::from(token)), token);
        }
    }

    #[test]
    fn bursts_are_asked_for_where_bursts_come() {
        let mut batch = Batch::default();
        let mut asked = Vec::new();
        for received in [1, 2, 4, 3, 3, 6, 1, 0, 1] {
            asked.push(batch.size());
            batch.came(received.min(batch.size()), batch.size());
        }
        assert_eq!(asked, [1, 2, 4, 8, 3, 6, 12, 1, 1]);
        for _ in 0..20 {
            batch.came(batch.size(), batch.size());
        }
        assert_eq!(batch.size(), usize::from(Batch::MAX));
    }
}
