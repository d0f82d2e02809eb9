//! Exact decimals: parsing, scaling, half-even rounding and comparison in 128-bit integers.

use core::cmp::Ordering;

/// Largest number of significant digits that a text may carry exactly; later digits stay as a sticky digit.
const DIGITS_MAX: u32 = 28;
/// Largest exponent that a text may name, either sign.
const EXPONENT_MAX: i32 = 60;

/// Why a text is no usable number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// The text is no number at all.
    Text,
    /// The text is `NaN`, `Infinity` or `-Infinity`: a line with an invalid value.
    NonFinite,
    /// The number is too large for the engine's integers.
    Range,
}

/// An exact decimal `mantissa * 10^-scale`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
    };

    /// Returns `mantissa * 10^-scale`.
    pub const fn new(mantissa: i128, scale: u8) -> Self {
        Self { mantissa, scale }
    }

    /// Returns the integer part of the pair `(mantissa, scale)`.
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// Returns the number of decimals.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Reads a decimal text: sign, digits, point, exponent; trailing zeros of the fraction are dropped.
    ///
    /// # Errors
    /// `NonFinite` for `NaN`, `Infinity`, `-Infinity`; `Range` above 10^60; `Text` for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, NumberError> {
        if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") {
            return Err(NumberError::NonFinite);
        }
        let mut scan = Scan::default();
        let mut rest = text;
        if let Some((first, tail)) = rest.split_first()
            && matches!(first, b'-' | b'+')
        {
            scan.negative = *first == b'-';
            rest = tail;
        }
        while let Some((byte, tail)) = rest.split_first() {
            match byte {
                b'0'..=b'9' => scan.digit(byte.wrapping_sub(b'0')),
                b'.' if !scan.point => scan.point = true,
                b'e' | b'E' => {
                    scan.exponent = parse_exponent(tail)?;
                    break;
                }
                _ => return Err(NumberError::Text),
            }
            rest = tail;
        }
        scan.finish()
    }

    /// Returns whether the number is above zero.
    pub const fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// Returns the number as an integer of `10^-scale`, half-even; `None` when it does not fit.
    pub fn to_scaled(self, scale: u8) -> Option<i128> {
        match scale.cmp(&self.scale) {
            Ordering::Equal => Some(self.mantissa),
            Ordering::Greater => self
                .mantissa
                .checked_mul(pow10(u32::from(scale.saturating_sub(self.scale)))?),
            Ordering::Less => {
                let places = u32::from(self.scale.saturating_sub(scale));
                Some(pow10(places).map_or(0, |unit| div_half_even(self.mantissa, unit)))
            }
        }
    }

    /// Returns the number as an integer of `10^-scale` only when that is exact.
    pub fn to_scaled_exact(self, scale: u8) -> Option<i128> {
        if self.scale > scale {
            None
        } else {
            self.to_scaled(scale)
        }
    }

    /// Returns the product, `None` when it does not fit.
    pub fn product(self, other: Self) -> Option<Self> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(
            Self {
                mantissa,
                scale: self.scale.checked_add(other.scale)?,
            }
            .reduced(),
        )
    }

    /// Returns `floor(self * integer)`, saturating.
    pub fn floor_mul(self, integer: i64) -> i64 {
        let product = self.mantissa.saturating_mul(i128::from(integer));
        let unit = pow10(u32::from(self.scale)).unwrap_or(i128::MAX);
        let floor = product.div_euclid(unit);
        i64::try_from(floor).unwrap_or(if floor < 0 { i64::MIN } else { i64::MAX })
    }

    /// Compares two decimals exactly.
    pub fn compare(self, other: Self) -> Ordering {
        let (a, b) = (self.reduced(), other.reduced());
        let scale = a.scale.max(b.scale);
        match (a.to_scaled(scale), b.to_scaled(scale)) {
            (Some(left), Some(right)) => left.cmp(&right),
            (None, Some(_)) => a.mantissa.cmp(&0),
            (Some(_), None) => 0.cmp(&b.mantissa),
            (None, None) => a.mantissa.signum().cmp(&b.mantissa.signum()),
        }
    }

    fn reduced(mut self) -> Self {
        while self.scale > 0 && self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.scale = self.scale.saturating_sub(1);
        }
        self
    }
}

#[derive(Default)]
struct Scan {
    negative: bool,
    point: bool,
    any: bool,
    mantissa: i128,
    digits: u32,
    scale: i32,
    exponent: i32,
}

impl Scan {
    fn digit(&mut self, digit: u8) {
        self.any = true;
        if self.digits < DIGITS_MAX {
            self.mantissa = self
                .mantissa
                .wrapping_mul(10)
                .wrapping_add(i128::from(digit));
            self.digits = self.digits.saturating_add(u32::from(self.mantissa != 0));
            self.scale = self.scale.saturating_add(i32::from(self.point));
            return;
        }
        // Digits beyond the exact ones only decide ties: they leave a trace in the last digit.
        if digit != 0 && self.mantissa % 5 == 0 {
            self.mantissa = self.mantissa.wrapping_add(1);
        }
        self.scale = self.scale.saturating_sub(i32::from(!self.point));
    }

    fn finish(self) -> Result<Decimal, NumberError> {
        if !self.any {
            return Err(NumberError::Text);
        }
        let signed = if self.negative {
            self.mantissa.wrapping_neg()
        } else {
            self.mantissa
        };
        if signed == 0 {
            return Ok(Decimal::ZERO);
        }
        let scale = self.scale.saturating_sub(self.exponent);
        if scale < 0 {
            let factor = pow10(scale.unsigned_abs()).ok_or(NumberError::Range)?;
            let mantissa = signed.checked_mul(factor).ok_or(NumberError::Range)?;
            return Ok(Decimal { mantissa, scale: 0 });
        }
        let scale = u8::try_from(scale).map_err(|_| NumberError::Range)?;
        Ok(Decimal {
            mantissa: signed,
            scale,
        }
        .reduced())
    }
}

fn parse_exponent(text: &[u8]) -> Result<i32, NumberError> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', tail)) => (true, tail),
        Some((b'+', tail)) => (false, tail),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err(NumberError::Text);
    }
    let mut value: i32 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(NumberError::Text);
        }
        value = value
            .saturating_mul(10)
            .saturating_add(i32::from(byte.wrapping_sub(b'0')));
    }
    let value = value.min(1_000);
    if !negative && value > EXPONENT_MAX {
        return Err(NumberError::Range);
    }
    Ok(if negative {
        value.saturating_neg().max(-190)
    } else {
        value
    })
}

/// Returns `10^exponent`, `None` above what 128 bits hold.
pub const fn pow10(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// Returns `10^exponent` for exponents up to 18, the largest `i64` power above.
pub const fn pow10_i64(exponent: u8) -> i64 {
    let mut value: i64 = 1;
    let mut left = exponent;
    while left > 0 && value <= i64::MAX / 10 {
        value = value.wrapping_mul(10);
        left = left.wrapping_sub(1);
    }
    value
}

/// Returns the greatest common divisor, at least 0.
pub const fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.saturating_abs(), b.saturating_abs());
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// Returns `numerator / denominator` rounded half to even; the denominator is above zero.
pub const fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    let (Some(quotient), Some(rest)) = (
        numerator.checked_div_euclid(denominator),
        numerator.checked_rem_euclid(denominator),
    ) else {
        return 0;
    };
    let other = denominator.wrapping_sub(rest);
    let up = rest > other || (rest == other && quotient & 1 != 0);
    if up {
        quotient.wrapping_add(1)
    } else {
        quotient
    }
}

/// Returns the smallest integer not below `numerator / denominator`; the denominator is above zero.
pub const fn div_ceil(numerator: i128, denominator: i128) -> i128 {
    match (
        numerator.checked_div_euclid(denominator),
        numerator.checked_rem_euclid(denominator),
    ) {
        (Some(quotient), Some(rest)) if rest > 0 => quotient.wrapping_add(1),
        (Some(quotient), _) => quotient,
        (None, _) => 0,
    }
}

/// Prints `value * 10^-places` with exactly that many decimals.
pub fn format_scaled(value: i128, places: u8) -> String {
    let unit = pow10(u32::from(places)).unwrap_or(1);
    let sign = if value < 0 { "-" } else { "" };
    let (value, unit) = (value.unsigned_abs(), unit.unsigned_abs());
    let whole = value.checked_div(unit).unwrap_or(0);
    let part = value.checked_rem(unit).unwrap_or(0);
    if places == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{part:0width$}", width = usize::from(places))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn texts_are_read_exactly() {
        assert_eq!(dec("97000.00").to_scaled(2), Some(9_700_000));
        assert_eq!(dec("-0.5").to_scaled(0), Some(0));
        assert_eq!(dec("1.5").to_scaled(0), Some(2));
        assert_eq!(dec("2.5").to_scaled(0), Some(2));
        assert_eq!(dec("-2.5").to_scaled(0), Some(-2));
        assert_eq!(dec("1e3").to_scaled(0), Some(1000));
        assert_eq!(dec("1.25E-1").to_scaled(3), Some(125));
        assert_eq!(dec(".5").to_scaled(1), Some(5));
        assert_eq!(dec("5.").to_scaled(0), Some(5));
    }

    #[test]
    fn what_is_no_number_says_so() {
        for text in [
            "", "-", ".", "1.2.3", "abc", "nan", "inf", "1e", "0x10", " 1",
        ] {
            assert_eq!(
                Decimal::parse(text.as_bytes()).err(),
                Some(NumberError::Text),
                "{text}"
            );
        }
        for text in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(
                Decimal::parse(text.as_bytes()).err(),
                Some(NumberError::NonFinite)
            );
        }
        assert_eq!(Decimal::parse(b"1e99").err(), Some(NumberError::Range));
    }

    #[test]
    fn digits_beyond_the_exact_ones_still_break_a_tie() {
        let text = format!("0.5{}1", "0".repeat(60));
        assert_eq!(dec(&text).to_scaled(0), Some(1));
        assert_eq!(dec("0.5").to_scaled(0), Some(0));
    }

    #[test]
    fn halves_go_to_even_on_both_sides_of_zero() {
        assert_eq!(div_half_even(25, 10), 2);
        assert_eq!(div_half_even(35, 10), 4);
        assert_eq!(div_half_even(-25, 10), -2);
        assert_eq!(div_half_even(-35, 10), -4);
        assert_eq!(div_half_even(-26, 10), -3);
        assert_eq!(div_ceil(-1, 10), 0);
        assert_eq!(div_ceil(1, 10), 1);
    }

    #[test]
    fn printing_keeps_every_place() {
        assert_eq!(format_scaled(-5, 2), "-0.05");
        assert_eq!(format_scaled(9_700_000, 2), "97000.00");
        assert_eq!(format_scaled(7, 0), "7");
    }
}
