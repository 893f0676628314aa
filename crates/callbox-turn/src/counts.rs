//! What is counted: why messages are dropped, requests refused, and logins failed.

/// Declares an enum of things that are counted, with a name for each.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Each of them, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it stands in metrics: lower case, words joined by `_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

counted! {
    /// Why a message goes nowhere.
    DropReason {
        /// Nothing that STUN or TURN speak, or cut.
        Malformed = "malformed",
        /// A response, or an indication or method that is not known.
        NotARequest = "not_a_request",
        /// The client has no allocation.
        NoAllocation = "no_allocation",
        /// The channel is not bound.
        NoChannel = "no_channel",
        /// There is no permission for the peer.
        NoPermission = "no_permission",
        /// The policy does not permit the peer, or it is of the other family.
        PeerRefused = "peer_refused",
        /// More than the message to the client can hold.
        TooLong = "too_long",
        /// More than may pass in this time.
        Bitrate = "bitrate",
        /// More than may go to a peer from which nothing has come.
        Unanswered = "unanswered",
        /// Too many answers to strangers at one address.
        AnswerLimit = "answer_limit",
        /// Too many wrong passwords for a name from one network: not looked at.
        LoginLimit = "login_limit",
        /// The answer would be too long for its request.
        Amplification = "amplification",
        /// A stream whose reader is too slow.
        SlowReader = "slow_reader",
        /// The kernel would not take it.
        NotSent = "not_sent",
    }
}

counted! {
    /// Why a signed request is answered with 401.
    FailedLogin {
        /// The username names nobody.
        UnknownUser = "unknown_user",
        /// Of a username whose credential does not end.
        WrongPassword = "wrong_password",
        /// Of a time-limited username: its password was not made with the secret.
        WrongSecret = "wrong_secret",
        /// Another realm than this server's.
        WrongRealm = "wrong_realm",
        /// The time of the credential is over.
        Expired = "expired",
        /// The time of the credential ends too far ahead to be meant, such as one in milliseconds.
        ExpiryTooFar = "expiry_too_far",
        /// The password was right, but the user may not relay now.
        NotAdmitted = "not_admitted",
    }
}

/// How often it was so for each of [`FailedLogin::ALL`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FailedLogins(pub [u64; FailedLogin::ALL.len()]);

impl FailedLogins {
    /// Counts one.
    pub fn count(&mut self, why: FailedLogin) {
        self.0[why as usize] += 1;
    }
}

/// The codes with which requests are refused (RFC 8489 §14.8, RFC 8656 §19).
pub const CODES: [u16; 12] = [400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 508];

/// How often it was refused with each of [`CODES`]; other codes are not counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Refusals(pub [u64; CODES.len()]);

impl Refusals {
    /// Counts one, if it is among [`CODES`].
    pub fn count(&mut self, code: u16) {
        if let Some(index) = CODES.iter().position(|known| *known == code) {
            self.0[index] += 1;
        }
    }
}
