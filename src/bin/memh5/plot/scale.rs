//! Numbers at the axes, and the colours of values.

use plotters::style::RGBColor;

/// A number at an axis of that length: what is nothing beside the length is 0.
pub fn label(value: f64, length: f64) -> String {
    number(if value.abs() < length * 1e-9 { 0.0 } else { value })
}

/// A number with at most five digits that say something.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-3..1e6).contains(&size) {
        let text = format!("{value:.4e}");
        return match text.split_once('e') {
            Some((digits, exponent)) => format!("{}e{exponent}", trimmed(digits)),
            None => text,
        };
    }
    let decimals = (4 - size.log10().floor() as i32).clamp(0, 7) as usize;
    trimmed(&format!("{value:.decimals$}")).to_owned()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// The colour of a missing value.
pub const MISSING: RGBColor = RGBColor(225, 225, 225);

/// From dark violet over green to yellow: even in brightness, so it prints, and colour-blind people see it.
const ANCHORS: [(u8, u8, u8); 6] = [(68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37)];

/// The colour of a value, 0 to 1.
pub fn colour(value: f64) -> RGBColor {
    if value.is_nan() {
        return MISSING;
    }
    let place = value.clamp(0.0, 1.0) * (ANCHORS.len() - 1) as f64;
    let at = (place.floor() as usize).min(ANCHORS.len() - 2);
    let part = place - at as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    let (a, b) = (ANCHORS[at], ANCHORS[at + 1]);
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let pairs = [
            (0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (-12.5, "-12.5"),
            (1e9, "1e9"),
            (1.5e-7, "1.5e-7"),
            (123456.0, "123456"),
            (0.1 + 0.2, "0.3"),
        ];
        for (value, text) in pairs {
            assert_eq!(number(value), text);
        }
        assert_eq!((label(-5.5e-17, 1.0).as_str(), label(1e-17, 1e-16).as_str()), ("0", "1e-17"));
        assert_eq!(colour(0.0), RGBColor(68, 1, 84));
        assert_eq!(colour(1.0), RGBColor(253, 231, 37));
        assert_eq!(colour(f64::NAN), MISSING);
    }
}
