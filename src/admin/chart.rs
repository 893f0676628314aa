//! Small pictures of how something went over the last hour, as SVG. Pure.

use std::fmt::Write;

use super::history::STEPS;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 90.0;

/// A line through `values`, the newest at the right, with the largest and the newest value in words.
#[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
pub(super) fn chart(title: &str, values: &[f64], in_words: impl Fn(f64) -> String) -> String {
    let top = values.iter().copied().fold(0.0, f64::max);
    let newest = values.last().copied().unwrap_or(0.0);
    let first = (STEPS + 1).saturating_sub(values.len());
    let mut line = String::new();
    for (index, value) in values.iter().enumerate() {
        let x = (first + index) as f64 / STEPS as f64 * WIDTH;
        let share = if top > 0.0 { value / top } else { 0.0 };
        let _ = write!(line, "{x:.1},{:.1} ", HEIGHT - 2.0 - share * (HEIGHT - 4.0));
    }
    let (newest, top) = (in_words(newest), in_words(top));
    format!(
        "<figure><figcaption>{title} <strong>{newest}</strong> <small>at most {top}</small></figcaption>\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title} over the last hour: now {newest}, at most {top}\">\
         <polyline points=\"{}\"/></svg></figure>",
        line.trim_end()
    )
}

/// A number of bits per second, with a unit that fits.
pub(super) fn bitrate(bits: f64) -> String {
    match bits {
        _ if bits >= 1e9 => format!("{:.2} Gbit/s", bits / 1e9),
        _ if bits >= 1e6 => format!("{:.1} Mbit/s", bits / 1e6),
        _ if bits >= 1e3 => format!("{:.0} kbit/s", bits / 1e3),
        _ => format!("{bits:.0} bit/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_touches_the_top_and_the_newest_the_right() {
        let picture = chart("People", &[0.0, 2.0, 4.0], |value| format!("{value}"));
        assert!(
            picture.contains("358.0,88.0 359.0,45.0 360.0,2.0"),
            "{picture}"
        );
        assert!(picture.contains("<strong>4</strong> <small>at most 4</small>"));
        let empty = chart("People", &[], |value| format!("{value}"));
        assert!(empty.contains("points=\"\"") && empty.contains("now 0"));
        assert!(chart("x", &[0.0, 0.0], |_| String::new()).contains("360.0,88.0"));
    }

    #[test]
    fn bitrates_are_short() {
        let texts = [0.0, 999.0, 64_000.0, 2_500_000.0, 1.5e9].map(bitrate);
        assert_eq!(
            texts,
            [
                "0 bit/s",
                "999 bit/s",
                "64 kbit/s",
                "2.5 Mbit/s",
                "1.50 Gbit/s"
            ]
        );
    }
}
