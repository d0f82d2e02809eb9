//! Prices as they arrive, and their half-even rounding to integer points.

use core::cmp::Ordering;
use core::fmt::Write as _;

use crate::decimal::{Decimal, NumberError, div_half_even, pow10, pow10_i64};

/// Largest price in points that the engine takes; above it a tick is bad.
pub const POINTS_MAX: i64 = 1_000_000_000_000_000;
/// Bound below which one multiplication in f64 stays within `TIE_BAND` of the exact product.
const FAST_POINTS_MAX: f64 = 1e12;
/// Distance from a tie below which the exact text decides; the error of the product is below 2.3e-4.
const TIE_BAND: f64 = 1e-3;

/// Largest price that `quick_points` gives.
const QUICK_POINTS_MAX: u64 = 1_000_000_000_000;
/// Distance from a whole number below which it is surely the nearest.
const TIE_EDGE: f64 = 0.5 - TIE_BAND;

/// A price before its symbol's digits are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Price {
    /// A float, read as its shortest decimal text.
    Float(f64),
    /// An exact decimal `mantissa * 10^-scale`.
    Exact {
        /// Digits without the point.
        mantissa: i64,
        /// Number of decimals.
        scale: u8,
    },
    /// NaN, an infinity, or a number too large: an invalid value.
    Invalid,
}

impl Price {
    /// Reads an exact decimal text.
    ///
    /// # Errors
    /// `NumberError::Text` when the text is no number; other faults become `Price::Invalid`.
    pub fn from_text(text: &[u8]) -> Result<Self, NumberError> {
        match Decimal::parse(text) {
            Ok(decimal) => Ok(Self::from_decimal(decimal)),
            Err(NumberError::Text) => Err(NumberError::Text),
            Err(NumberError::NonFinite | NumberError::Range) => Ok(Self::Invalid),
        }
    }

    /// Takes a decimal; one that does not fit becomes `Invalid` or loses digits far below a point.
    pub fn from_decimal(decimal: Decimal) -> Self {
        if let Ok(mantissa) = i64::try_from(decimal.mantissa()) {
            return Self::Exact {
                mantissa,
                scale: decimal.scale(),
            };
        }
        let mut mantissa = decimal.mantissa();
        let mut scale = decimal.scale();
        let mut sticky = false;
        while i64::try_from(mantissa).is_err() && scale > 0 {
            sticky |= mantissa % 10 != 0;
            mantissa /= 10;
            scale = scale.saturating_sub(1);
        }
        if sticky && mantissa % 5 == 0 {
            mantissa = mantissa.saturating_add(mantissa.signum());
        }
        i64::try_from(mantissa).map_or(Self::Invalid, |mantissa| Self::Exact { mantissa, scale })
    }

    /// Returns the price in points of `10^-digits`, half-even; `None` for an invalid or too large one.
    #[inline]
    pub fn to_points(self, digits: u8) -> Option<i64> {
        match self {
            Self::Float(value) => float_points(value, digits),
            Self::Exact { mantissa, scale } => exact_points(mantissa, scale, digits),
            Self::Invalid => None,
        }
    }
}

#[inline]
fn exact_points(mantissa: i64, scale: u8, digits: u8) -> Option<i64> {
    let points = match scale.cmp(&digits) {
        Ordering::Equal => mantissa,
        Ordering::Less => mantissa.checked_mul(power(digits.wrapping_sub(scale))?)?,
        Ordering::Greater => {
            let unit = pow10(u32::from(scale.wrapping_sub(digits))).unwrap_or(i128::MAX);
            i64::try_from(div_half_even(i128::from(mantissa), unit)).ok()?
        }
    };
    (points.unsigned_abs() <= POINTS_MAX.unsigned_abs()).then_some(points)
}

#[inline]
fn power(exponent: u8) -> Option<i64> {
    (exponent <= 18).then(|| pow10_i64(exponent))
}

#[inline]
fn float_points(value: f64, digits: u8) -> Option<i64> {
    if !value.is_finite() {
        return None;
    }
    let scaled = value * power_of_ten(digits).unwrap_or(f64::NAN);
    let magnitude = scaled.abs();
    if magnitude < FAST_POINTS_MAX {
        let whole = integer_part(scaled);
        #[allow(
            clippy::as_conversions,
            clippy::cast_precision_loss,
            reason = "below 1e12: exact"
        )]
        let part = (scaled - whole as f64).abs();
        if (part - 0.5).abs() > TIE_BAND {
            let step = i64::from(part > 0.5);
            return Some(if scaled < 0.0 {
                whole.wrapping_sub(step)
            } else {
                whole.wrapping_add(step)
            });
        }
    }
    slow_float_points(value, digits)
}

/// Returns 10^digits, exact in f64.
#[inline]
pub fn power_of_ten(digits: u8) -> Option<f64> {
    POWERS.get(usize::from(digits)).copied()
}

/// Returns the points of a price above zero whose symbol has `scale` = 10^digits, unless it stands near a
/// tie, is huge, or is no number: then the exact way decides.
#[inline]
pub const fn quick_points(value: f64, scale: f64) -> Option<i64> {
    // Adding 1.5 x 2^52 leaves the nearest whole number in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let scaled = value * scale;
    let shifted = scaled + ROUND;
    let points = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let error = scaled - (shifted - ROUND);
    if points.wrapping_sub(1) < QUICK_POINTS_MAX && error < TIE_EDGE && error > -TIE_EDGE {
        Some(points.cast_signed())
    } else {
        None
    }
}

#[inline]
#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a saturating, truncating cast is what is meant"
)]
fn integer_part(value: f64) -> i64 {
    value as i64
}

/// Powers of ten that are exact in f64.
const POWERS: [f64; 13] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
];

#[cold]
fn slow_float_points(value: f64, digits: u8) -> Option<i64> {
    let mut text = Text::default();
    write!(text, "{value:e}").ok()?;
    let decimal = Decimal::parse(text.bytes()).ok()?;
    match Price::from_decimal(decimal) {
        Price::Exact { mantissa, scale } => exact_points(mantissa, scale, digits),
        Price::Float(_) | Price::Invalid => None,
    }
}

/// A small buffer on the stack for one float's text.
struct Text {
    bytes: [u8; 40],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            bytes: [0; 40],
            length: 0,
        }
    }
}

impl Text {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.length.saturating_add(text.len());
        let room = self
            .bytes
            .get_mut(self.length..end)
            .ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_round_by_their_shortest_text() {
        assert_eq!(Price::Float(1.386_94).to_points(5), Some(138_694));
        assert_eq!(Price::Float(0.5).to_points(0), Some(0));
        assert_eq!(Price::Float(1.5).to_points(0), Some(2));
        assert_eq!(Price::Float(2.5).to_points(0), Some(2));
        // 1.005 is below the tie in binary, but its text is the tie: half to even.
        assert_eq!(Price::Float(1.005).to_points(2), Some(100));
        assert_eq!(Price::Float(1.015).to_points(2), Some(102));
        assert_eq!(Price::Float(-1.386_94).to_points(5), Some(-138_694));
    }

    #[test]
    fn floats_agree_with_their_text_on_a_grid_of_ties() {
        for whole in 0..2_000u32 {
            for tail in ["4", "45", "5", "50", "55", "49999", "50001"] {
                let text = format!("{whole}.{tail}");
                let value: f64 = text.parse().unwrap();
                assert_eq!(
                    Price::Float(value).to_points(0),
                    Price::from_text(text.as_bytes()).unwrap().to_points(0),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn the_quick_way_gives_nothing_else_than_the_exact_way() {
        let mut state: u64 = 88_172_645_463_325_252;
        for _ in 0..200_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let text = format!("{}.{:06}", state % 3_000, state / 3_000 % 1_000_000);
            let value: f64 = text.parse().unwrap();
            for digits in [0u8, 2, 3, 5, 8] {
                let quick = quick_points(value, power_of_ten(digits).unwrap());
                let exact = Price::from_text(text.as_bytes()).unwrap().to_points(digits);
                assert!(quick.is_none() || quick == exact, "{text} {digits}");
            }
        }
        for value in [
            f64::NAN,
            f64::INFINITY,
            -1.5,
            0.0,
            1e18,
            1e300,
            4.0e15,
            -1e18,
            5e-324,
        ] {
            assert_eq!(quick_points(value, 1.0), None, "{value}");
        }
        assert_eq!(quick_points(1.5, f64::NAN), None);
        assert_eq!(quick_points(1e12, 1.0), Some(1_000_000_000_000));
    }

    #[test]
    fn invalid_and_huge_prices_have_no_points() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308] {
            assert_eq!(Price::Float(value).to_points(5), None);
        }
        assert_eq!(Price::Float(5e-324).to_points(5), Some(0));
        assert_eq!(Price::from_text(b"NaN"), Ok(Price::Invalid));
        assert_eq!(Price::from_text(b"x"), Err(NumberError::Text));
    }

    #[test]
    fn long_texts_keep_their_tie_breaking_digits() {
        let price = Price::from_text(b"1.000005000000000000000000001").unwrap();
        assert_eq!(price.to_points(5), Some(100_001));
        assert_eq!(
            Price::from_text(b"1.000005").unwrap().to_points(5),
            Some(100_000)
        );
    }
}
