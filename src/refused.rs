//! What was refused: by which door, and by which of its bounds. Counted as `callbox_refused_total`.

/// Declares the bounds, each with the labels `door` and `bound`. A bound that can be configured is called as its key is.
macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident = $door:literal, $bound:literal;)*) => {
        /// A bound that was reached, or a rule that was broken, at the door of something.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Refused { $($(#[$doc])* $name,)* }

        impl Refused {
            const ALL: &[Self] = &[$(Self::$name,)*];

            /// `door` and `bound`.
            fn labels(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($door, $bound),)* }
            }
        }
    };
}

refused! {
    /// TCP connections.
    Connections = "front", "max_connections";
    ConnectionsOfAddress = "front", "max_connections_per_ip";
    /// Of an IPv6 /56 or /48, here and below.
    ConnectionsOfNetwork = "front", "network";
    WebSockets = "websocket", "max_connections";
    WebSocketsOfAddress = "websocket", "max_connections_per_ip";
    WebSocketsOfNetwork = "websocket", "network";
    /// A page of another origin.
    WebSocketOrigin = "websocket", "origins";
    /// `/config.js`, where visitors and their credentials are made.
    Visitors = "page", "visitors_per_minute";
    People = "room", "max_peers";
    Rooms = "room", "max_rooms";
    RoomsOfAddress = "room", "max_rooms_per_ip";
    RoomsOfNetwork = "room", "network";
    /// New seats for one address.
    Seats = "room", "seats";
    /// Turns of a room's lock by one member.
    Locks = "lock", "rate";
    /// At a locked room: those who wait, and how often one address may try.
    KnocksWaiting = "knock", "waiting";
    Knocks = "knock", "rate";
    Passwords = "login", "attempts_per_minute";
    /// Others have passwords looked at.
    PasswordsAtOnce = "login", "at_once";
    /// New QR codes for one address.
    QrRate = "qr", "rate";
    /// Others have QR codes made.
    QrAtOnce = "qr", "at_once";
    Allocations = "relay", "allocations";
    AllocationsOfVisitor = "relay", "allocations_per_visitor";
    AllocationsOfAddress = "relay", "allocations_per_ip";
    AllocationsOfNetwork = "relay", "network";
    AllocationRate = "relay", "allocations_per_minute";
    /// No port is left, or no descriptor.
    RelayPorts = "relay", "relay_ports";
    /// The operator's listener.
    AdminConnections = "admin", "connections";
    AdminHost = "admin", "hosts";
}

impl Refused {
    pub(crate) fn count(self) {
        self.counter().increment(1);
    }

    fn counter(self) -> metrics::Counter {
        let (door, bound) = self.labels();
        metrics::counter!("callbox_refused_total", "door" => door, "bound" => bound)
    }
}

/// Has them all there from the start: what appears only with its first event has no increase.
pub(crate) fn count_from_zero() {
    for refused in Refused::ALL {
        refused.counter().absolute(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_counted_as_one() {
        let labels: std::collections::HashSet<_> = Refused::ALL
            .iter()
            .map(|refused| refused.labels())
            .collect();
        assert_eq!(labels.len(), Refused::ALL.len());
    }
}
