//! What was refused: by which door, and by which of its bounds. Counted as `callbox_refused_total`.

/// A bound that was reached, or a rule that was broken, at the door of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// As many new QR codes as one address may have made.
    QrRate,
    /// Others have QR codes made.
    QrAtOnce,
    /// As many connections to the operator's listener as it has.
    AdminConnections,
    /// Its Host is none of the operator's.
    AdminHost,
}

impl Refused {
    pub const ALL: &[Self] = &[
        Self::QrRate,
        Self::QrAtOnce,
        Self::AdminConnections,
        Self::AdminHost,
    ];

    /// The labels `door` and `bound`.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::QrRate => ("qr", "rate"),
            Self::QrAtOnce => ("qr", "at_once"),
            Self::AdminConnections => ("admin", "connections"),
            Self::AdminHost => ("admin", "host"),
        }
    }

    pub fn count(self) {
        let (door, bound) = self.labels();
        metrics::counter!("callbox_refused_total", "door" => door, "bound" => bound).increment(1);
    }
}

/// Has them all there from the start: what appears only with its first event has no increase.
pub fn begin() {
    for refused in Refused::ALL {
        let (door, bound) = refused.labels();
        metrics::counter!("callbox_refused_total", "door" => door, "bound" => bound).absolute(0);
    }
}
