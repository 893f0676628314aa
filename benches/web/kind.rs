//! The kinds of servers that are measured.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Callbox,
    /// Another callbox, to compare the one with.
    Before,
    Nginx,
    SocketIo,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Callbox, Self::Before, Self::Nginx, Self::SocketIo];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Callbox => "callbox",
            Self::Before => "before",
            Self::Nginx => "nginx",
            Self::SocketIo => "python-socketio",
        }
    }
}
