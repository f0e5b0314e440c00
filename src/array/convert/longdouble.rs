//! The 80-bit extended numbers of x86, decoded and encoded by hand.
//!
//! Bytes 0 to 8 are the significand, least significant byte first, with its leading 1 stored; bytes 8 to 10 are the sign (bit 15) and the exponent,
//! biased by 16383; the other six are padding.

const BIAS: i32 = 16_383;
const TOP: u64 = 1 << 63;

/// A number of 80 bits in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongDouble(pub [u8; 16]);

/// What the bytes say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Class {
    Nan,
    Infinite,
    Zero,
    /// significand · 2^(exponent - 63), its top bit set.
    Finite {
        exponent: i32,
        significand: u64,
    },
}

impl LongDouble {
    fn negative(self) -> bool {
        self.0[9] & 0x80 != 0
    }

    fn class(self) -> Class {
        let mut raw = [0; 8];
        raw.copy_from_slice(&self.0[..8]);
        let significand = u64::from_le_bytes(raw);
        let biased = i32::from(u16::from_le_bytes([self.0[8], self.0[9]]) & 0x7fff);
        match (biased, significand) {
            (0x7fff, s) if s << 1 == 0 => Class::Infinite,
            (0x7fff, _) => Class::Nan,
            (_, 0) => Class::Zero,
            (biased, s) => {
                // A subnormal (and, from hostile files, an unnormal) is brought to its leading bit.
                let shift = s.leading_zeros();
                Class::Finite { exponent: biased.max(1) - BIAS - shift as i32, significand: s << shift }
            }
        }
    }

    fn encode(negative: bool, biased: i32, significand: u64) -> Self {
        let mut raw = [0; 16];
        raw[..8].copy_from_slice(&significand.to_le_bytes());
        let head = biased as u16 | if negative { 0x8000 } else { 0 };
        raw[8..10].copy_from_slice(&head.to_le_bytes());
        Self(raw)
    }

    /// Always exact.
    pub(crate) fn from_int(value: i128) -> Self {
        let magnitude = value.unsigned_abs() as u64;
        if magnitude == 0 {
            return Self([0; 16]);
        }
        let shift = magnitude.leading_zeros();
        Self::encode(value < 0, BIAS + 63 - shift as i32, magnitude << shift)
    }

    /// Always exact.
    pub(crate) fn from_f64(value: f64) -> Self {
        let negative = value.is_sign_negative();
        if value.is_nan() {
            return Self::encode(negative, 0x7fff, TOP | TOP >> 1);
        }
        if value.is_infinite() {
            return Self::encode(negative, 0x7fff, TOP);
        }
        if value == 0.0 {
            return Self::encode(negative, 0, 0);
        }
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52 & 0x7ff) as i32, bits << 12 >> 12);
        let (exponent, significand) = if field == 0 { (-1022, fraction << 11) } else { (field - 1023, (1 << 52 | fraction) << 11) };
        let shift = significand.leading_zeros();
        Self::encode(negative, BIAS + exponent - shift as i32, significand << shift)
    }

    /// The nearest f64, ties to even, infinite past its range; and whether it is equal.
    pub(crate) fn to_f64(self) -> (f64, bool) {
        let sign = if self.negative() { -1.0 } else { 1.0 };
        match self.class() {
            Class::Nan => (f64::NAN, true),
            Class::Infinite => (sign * f64::INFINITY, true),
            Class::Zero => (sign * 0.0, true),
            Class::Finite { exponent, .. } if exponent > 1023 => (sign * f64::INFINITY, false),
            Class::Finite { exponent, significand } => {
                // A normal number keeps 53 bits, a subnormal one fewer.
                let drop = 11 + (-1022 - exponent).max(0) as u32;
                if drop > 64 {
                    return (sign * 0.0, false);
                }
                let (kept, rest) = if drop == 64 { (0, significand) } else { (significand >> drop, significand << (64 - drop)) };
                let up = rest > TOP || (rest == TOP && kept & 1 == 1);
                // The significand's leading bit is added to the exponent field; a carry runs into it as it should.
                let field = if exponent < -1022 { 0 } else { (exponent + 1022) as u64 };
                let bits = (field << 52) + kept + u64::from(up);
                (sign * f64::from_bits(bits), rest == 0)
            }
        }
    }

    /// An f64 that rounds to the nearest narrower float as this number does: cut, with the last bit set if anything was cut off.
    pub(crate) fn to_f64_odd(self) -> f64 {
        let (nearest, equal) = self.to_f64();
        if equal {
            return nearest;
        }
        // The nearest one is the cut one or its neighbour away from zero; of the two, the odd one is wanted.
        let bits = nearest.to_bits();
        if bits & 1 == 1 && nearest.is_finite() {
            return nearest;
        }
        // Even: the other one is below in magnitude if the rounding went up (always, for infinity).
        let up = match self.class() {
            Class::Finite { exponent, significand } => {
                let back = Self::from_f64(nearest).class();
                !matches!(back, Class::Finite { exponent: e, significand: s } if (e, s) < (exponent, significand)) && back != Class::Zero
            }
            _ => false,
        };
        f64::from_bits(if up { bits - 1 } else { bits + 1 })
    }

    /// The nearest integer, ties to even; `None` for NaN, the limits of i128 past the range of 64 bits; and whether it is equal.
    pub(crate) fn to_int(self) -> (Option<i128>, bool) {
        let sign = |v: i128| if self.negative() { -v } else { v };
        match self.class() {
            Class::Nan => (None, false),
            Class::Infinite => (Some(sign(i128::MAX)), false),
            Class::Zero => (Some(0), true),
            Class::Finite { exponent, .. } if exponent > 63 => (Some(sign(i128::MAX)), false),
            Class::Finite { exponent, .. } if exponent < -1 => (Some(0), false),
            Class::Finite { exponent, significand } => {
                let wide = u128::from(significand) << (exponent + 1);
                let (whole, rest) = ((wide >> 64) as u64, wide as u64);
                let up = rest > TOP || (rest == TOP && whole & 1 == 1);
                (Some(sign(i128::from(whole) + i128::from(up))), rest == 0)
            }
        }
    }
}

/// Decimal digits that tell two neighbouring numbers apart.
const DIGITS: usize = 21;
/// The base of a limb of a large whole number, and how many decimal digits it has.
const LIMB: (u64, usize) = (1_000_000_000, 9);

fn multiply(limbs: &mut Vec<u32>, by: u32) {
    let mut carry = 0;
    for limb in limbs.iter_mut() {
        let product = u64::from(*limb) * u64::from(by) + carry;
        *limb = (product % LIMB.0) as u32;
        carry = product / LIMB.0;
    }
    if carry > 0 {
        limbs.push(carry as u32);
    }
}

impl LongDouble {
    /// As text, with enough digits to tell it from its neighbours.
    pub(crate) fn decimal(self) -> String {
        let Class::Finite { exponent, significand } = self.class() else { return format!("{:?}", self.to_f64().0) };
        // The number is significand · 2^twos, and for a negative exponent 2^-n is 5^n · 10^-n.
        let twos = exponent - 63;
        let mut limbs: Vec<u32> =
            [significand % LIMB.0, significand / LIMB.0 % LIMB.0, significand / LIMB.0 / LIMB.0].iter().map(|l| *l as u32).collect();
        // Factors below the base of a limb, so that the carry is one limb.
        let (factor, batch) = if twos < 0 { (5u32, 12) } else { (2, 29) };
        let mut left = twos.unsigned_abs();
        while left > 0 {
            let step = left.min(batch);
            multiply(&mut limbs, factor.pow(step));
            left -= step;
        }
        let mut digits: String = limbs.iter().rev().map(|l| format!("{l:0width$}", width = LIMB.1)).collect();
        digits = digits.trim_start_matches('0').to_owned();
        let mut power = digits.len() as i32 - 1 + twos.min(0);
        let mut digits: Vec<u8> = digits.into_bytes();
        if digits.len() > DIGITS {
            let up = digits[DIGITS] >= b'5';
            digits.truncate(DIGITS);
            if up {
                let nines = digits.iter().rev().take_while(|d| **d == b'9').count();
                digits.truncate(DIGITS - nines);
                match digits.last_mut() {
                    Some(last) => *last += 1,
                    None => {
                        digits.push(b'1');
                        power += 1;
                    }
                }
            }
        }
        let digits = String::from_utf8_lossy(&digits).trim_end_matches('0').to_owned();
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let sign = if self.negative() { "-" } else { "" };
        match power {
            0 => format!("{sign}{first}.{}", if rest.is_empty() { "0" } else { rest }),
            -5..0 => format!("{sign}0.{}{digits}", "0".repeat((-power - 1) as usize)),
            1..19 if digits.len() > power as usize + 1 => {
                let (whole, part) = digits.split_at(power as usize + 1);
                format!("{sign}{whole}.{part}")
            }
            1..19 => format!("{sign}{digits}{}.0", "0".repeat(power as usize + 1 - digits.len())),
            _ if rest.is_empty() => format!("{sign}{first}e{power}"),
            _ => format!("{sign}{first}.{rest}e{power}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_f64_goes_there_and_back() {
        for value in [0.0, -0.0, 1.0, -1.5, f64::MAX, f64::MIN_POSITIVE, 5e-324, -2.5e-310, f64::INFINITY, f64::NEG_INFINITY, 0.1] {
            let (back, equal) = LongDouble::from_f64(value).to_f64();
            assert_eq!((back.to_bits(), equal), (value.to_bits(), true), "{value}");
        }
        assert!(LongDouble::from_f64(f64::NAN).to_f64().0.is_nan());
    }

    #[test]
    fn rounds_to_nearest_even() {
        // 2^63 + 1: a tie is impossible, below half of the last place of an f64.
        let big = LongDouble::from_int((1 << 63) + 1);
        assert_eq!(big.to_f64(), (9_223_372_036_854_775_808.0, false));
        assert_eq!(big.to_int(), (Some((1 << 63) + 1), true));
        // 2^53 + 1 lies between two f64: the even one is below; 2^53 + 3 goes up.
        assert_eq!(LongDouble::from_int((1 << 53) + 1).to_f64(), (9_007_199_254_740_992.0, false));
        assert_eq!(LongDouble::from_int((1 << 53) + 3).to_f64(), (9_007_199_254_740_996.0, false));
        assert_eq!(LongDouble::from_int((1 << 53) + 1).to_f64_odd(), 9_007_199_254_740_992.0_f64.next_up());
        assert_eq!(LongDouble::from_int(-(1 << 53) - 3).to_f64_odd(), -9_007_199_254_740_994.0_f64);
        for (value, rounded) in [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (0.49, 0), (0.51, 1), (1e-30, 0)] {
            assert_eq!(LongDouble::from_f64(value).to_int().0, Some(rounded), "{value}");
        }
        assert_eq!(LongDouble::from_f64(1e300).to_int(), (Some(i128::MAX), false));
        // One unit above the largest f64's neighbourhood overflows; the smallest extended number vanishes.
        assert_eq!(LongDouble::encode(false, 0x7ffe, u64::MAX).to_f64(), (f64::INFINITY, false));
        assert_eq!(LongDouble::encode(true, 0, 1).to_f64(), (-0.0, false));
        assert_eq!(LongDouble::encode(false, BIAS + 1023, u64::MAX).to_f64(), (f64::INFINITY, false));
    }

    #[test]
    fn decimal_tells_neighbours_apart() {
        let show = |biased: i32, significand: u64| LongDouble::encode(false, biased, significand).decimal();
        assert_eq!(LongDouble::from_int(-(1 << 63) - 1).decimal(), "-9223372036854775809.0");
        assert_eq!(LongDouble::from_int(i128::from(u64::MAX)).decimal(), "1.8446744073709551615e19");
        // These are what numpy's longdouble prints, with its last digits.
        assert_eq!(show(0x3ffd, 0xaaaa_aaaa_aaaa_aaab), "0.333333333333333333342");
        assert_eq!(show(0x7ffe, u64::MAX), "1.18973149535723176502e4932");
        assert_eq!(show(0, 1), "3.64519953188247460253e-4951");
        assert_eq!(show(BIAS + 67, TOP | 1), "1.47573952589676412944e20");
        assert_eq!(LongDouble::from_f64(0.001953125).decimal(), "0.001953125");
        assert_eq!(LongDouble::from_f64(1500.0).decimal(), "1500.0");
        assert_eq!(LongDouble::from_f64(12.5).decimal(), "12.5");
    }

    #[test]
    fn knows_the_bytes_that_x86_writes() {
        // 1.0L / 3 is 3ffd aaaaaaaaaaaaaaab, as a C compiler writes it; the f64 next to it is 1.0 / 3, and the f32 too.
        let third = LongDouble::encode(false, 0x3ffd, 0xaaaa_aaaa_aaaa_aaab);
        assert_eq!(third.to_f64(), (1.0 / 3.0, false));
        assert_eq!(third.to_f64_odd() as f32, 1.0f32 / 3.0);
        // 1.0L is 3fff 8000000000000000, -2.5L is c000 a000000000000000.
        assert_eq!(LongDouble::from_f64(1.0).0, [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f, 0, 0, 0, 0, 0, 0]);
        assert_eq!(LongDouble::from_f64(-2.5).0, [0, 0, 0, 0, 0, 0, 0, 0xa0, 0x00, 0xc0, 0, 0, 0, 0, 0, 0]);
    }
}
