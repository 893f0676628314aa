//! Names of people, as the others see them. Pure. The page has the same rule, in `web/names.js`; `tests/names.json` has cases for
//! both.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    BinaryProperty, DefaultIgnorableCodePoint, Emoji, EmojiModifier, ExtendedPictographic,
    GeneralCategory, GeneralCategoryGroup, Script, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_security::skeleton;

const MAX_SIGNS: usize = 64;
/// Of what somebody calls themselves, so much is looked at.
const MOST: usize = 1024;
/// So far ahead of a joiner it is looked for what it joins.
const AHEAD: usize = 8;
/// Marks on one letter: Hebrew with points and Hindi have as many, higher are towers only.
const MAX_MARKS: usize = 4;
/// What somebody without a name is called on a page.
const NAMELESS: &str = "Guest";

/// A person's name without what cannot be seen: controls, default-ignorable characters, blanks, marks on nothing and towers of
/// them; with single spaces, in NFC, cut to 64 characters, and without a number in parentheses at the end, by which people of
/// the same look are told apart. It may be empty.
pub(crate) fn person(text: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let mut kept = Vec::new();
    // On nothing there is no mark.
    let mut marks = MAX_MARKS;
    let end = text.char_indices().nth(MOST).map(|(end, _)| end);
    let text = nfc.normalize(&text[..end.unwrap_or(text.len())]);
    let mut rest = text.chars();
    while let Some(sign) = rest.next() {
        if kept.len() == MAX_SIGNS {
            break;
        }
        let last = kept.last().copied().unwrap_or(' ');
        if has::<WhiteSpace>(sign) {
            marks = MAX_MARKS;
            if last != ' ' {
                kept.push(' ');
            }
        } else if is_selector(sign) {
            if has::<Emoji>(last) {
                kept.push(sign);
            }
        } else if is_joiner(sign) {
            let next = || rest.clone().take(AHEAD).find(|other| !is_joiner(*other));
            if joins_after(last) && next().is_some_and(joins_before) {
                kept.push(sign);
            }
        } else if !is_blank(sign) {
            let is_mark = is(sign, GeneralCategoryGroup::Mark);
            if is_mark && marks >= MAX_MARKS {
                continue;
            }
            marks = if is_mark { marks + 1 } else { 0 };
            kept.push(sign);
        }
    }
    if kept.last().is_some_and(|last| is_joiner(*last)) {
        kept.pop();
    }
    let kept: String = kept.into_iter().collect();
    unnumbered(nfc.normalize(&kept).trim()).to_owned()
}

/// Do two names look the same to a person? Letters of one script may look like those of another.
pub(crate) fn look_alike(one: &str, other: &str) -> bool {
    one == other || looks(one).eq(looks(other))
}

fn looks(name: &str) -> impl Iterator<Item = char> {
    let name = if name.is_empty() { NAMELESS } else { name };
    skeleton(name).filter(|sign| !is_blank(*sign) && !has::<WhiteSpace>(*sign))
}

/// Without numbers in parentheses at the end.
fn unnumbered(name: &str) -> &str {
    let mut name = name;
    let is_digit = |sign| is(sign, GeneralCategoryGroup::DecimalNumber);
    while let Some(inner) = name.strip_suffix(')') {
        let opened = inner.trim_end_matches(is_digit);
        match opened.strip_suffix('(') {
            Some(before) if opened.len() < inner.len() => name = before.trim_end(),
            _ => break,
        }
    }
    name
}

/// Does it print nothing?
fn is_blank(sign: char) -> bool {
    let invisible = GeneralCategoryGroup::Control.union(GeneralCategoryGroup::Format);
    // The others are of categories that print something.
    let others = [
        '\u{2800}',
        '\u{fffc}',
        '\u{13441}',
        '\u{13442}',
        '\u{16fe4}',
        '\u{1d159}',
    ];
    is(sign, invisible) || has::<DefaultIgnorableCodePoint>(sign) || others.contains(&sign)
}

/// Says whether the sign before it is shown as text or as a picture.
fn is_selector(sign: char) -> bool {
    matches!(sign, '\u{fe0e}' | '\u{fe0f}')
}

/// Joins letters of some scripts, or keeps them apart, and makes one emoji of several.
fn is_joiner(sign: char) -> bool {
    matches!(sign, '\u{200c}' | '\u{200d}')
}

fn joins_after(sign: char) -> bool {
    is(sign, GeneralCategoryGroup::Mark)
        || CodePointMapData::<Script>::new().get(sign) == Script::Arabic
        || has::<ExtendedPictographic>(sign)
        || has::<EmojiModifier>(sign)
}

fn joins_before(sign: char) -> bool {
    is(sign, GeneralCategoryGroup::Letter) || has::<ExtendedPictographic>(sign)
}

fn has<P: BinaryProperty>(sign: char) -> bool {
    CodePointSetData::new::<P>().contains(sign)
}

fn is(sign: char, group: GeneralCategoryGroup) -> bool {
    group.contains(CodePointMapData::<GeneralCategory>::new().get(sign))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_name_remains_what_can_be_seen_as_on_the_page() {
        let cases = include_str!("../../../tests/names.json");
        let cases: Vec<(String, String)> = serde_json::from_str(cases).unwrap();
        assert!(cases.len() > 40);
        for (text, cleaned) in cases {
            assert_eq!(person(&text), cleaned, "{text:?}");
            assert_eq!(person(&cleaned), cleaned, "{text:?} again");
        }
    }

    #[test]
    fn letters_that_look_the_same_are_the_same() {
        for (one, other) in [
            ("Ana", "Ana"),
            // Cyrillic.
            ("Ana", "\u{410}n\u{430}"),
            ("Ioan", "loan"),
            ("Ana Lia", "AnaLia"),
            ("", "Guest"),
            ("علی‌رضا", "علیرضا"),
        ] {
            assert!(look_alike(one, other), "{one} {other}");
        }
        for (one, other) in [("Ana", "Anna"), ("Ana", ""), ("Zoë", "Zoe")] {
            assert!(!look_alike(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_has_a_bound(text in "(\\PC|[\u{300}-\u{36f}]|[\u{200b}-\u{200f}]){0,120}") {
            let name = person(&text);
            prop_assert!(name.chars().count() <= MAX_SIGNS);
            prop_assert_eq!(name.trim(), &name);
        }
    }
}
