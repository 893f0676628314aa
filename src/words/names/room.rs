//! Names of rooms, as they may be used.

use std::fmt;

const MAX_ROOM: usize = 64;

/// A valid room name: 1 to 64 letters and digits of any script (Unicode's Alphabetic and Number), hyphens and underscores,
/// in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RoomName(String);

impl RoomName {
    /// `None` if `text` is not a valid name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = text.to_lowercase();
        let valid = (1..=MAX_ROOM).contains(&name.chars().count())
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        valid.then_some(Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_names() {
        for name in [
            "a",
            "blue-otter",
            "Team_1",
            "bücher",
            "会議室",
            &"x".repeat(64),
        ] {
            assert!(RoomName::parse(name).is_some(), "{name}");
        }
        for name in [
            "",
            " ",
            "a b",
            "a/b",
            "a.b",
            "<b>",
            "a\n",
            "a%20b",
            "😀",
            &"x".repeat(65),
        ] {
            assert!(RoomName::parse(name).is_none(), "{name}");
        }
        assert_eq!(RoomName::parse("Team"), RoomName::parse("team"));
    }
}
