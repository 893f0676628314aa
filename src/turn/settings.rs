//! What the relay is told by whoever runs it, as types that cannot be wrong.

/// How long the credentials of a visitor are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialMode {
    /// As long as the visitor is in a room.
    Call,
    /// Until they expire.
    Timed,
}

/// What relaying may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    pub allocations: usize,
    /// A visitor, or a user by name.
    pub allocations_per_visitor: usize,
    pub allocations_per_ip: usize,
    /// Begun by a visitor or user.
    pub allocations_per_minute: u32,
    /// Of one allocation, as are channels.
    pub permissions: usize,
    pub channels: usize,
    /// Answers to requests without valid credentials, per source address.
    pub unauthenticated_per_second: u32,
    /// Bytes of data that may wait for a slow client on TCP or TLS.
    pub stream_queue: usize,
    /// Of one allocation, each way.
    pub bytes_per_second: Option<u64>,
    /// The same, where it belongs to a page that checks the relay.
    pub check_bytes_per_second: u64,
    /// Of all together.
    pub total_bytes_per_second: Option<u64>,
}
