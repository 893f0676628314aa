//! Names of rooms and people, as they may be used.

use std::fmt;

const MAX_ROOM: usize = 64;
const MAX_PERSON: usize = 64;

/// A valid room name: 1 to 64 letters and digits of any script (Unicode's Alphabetic and Number), hyphens and underscores,
/// in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(String);

impl RoomName {
    /// `None` if `text` is not a valid name.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.to_lowercase();
        let valid = (1..=MAX_ROOM).contains(&name.chars().count())
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        valid.then_some(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person's name for others to see: without control characters, trimmed, cut to 64 characters. It may be empty.
pub fn person(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_PERSON)
        .collect();
    visible.trim().to_owned()
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

    #[test]
    fn people_names_are_cleaned_and_cut() {
        assert_eq!(person("  Ana\u{0}\n "), "Ana");
        assert_eq!(person(&"é".repeat(100)).chars().count(), 64);
        assert_eq!(person("\t"), "");
    }
}
