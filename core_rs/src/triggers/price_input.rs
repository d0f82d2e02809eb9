//! Bad and suspicious ticks: what may mark, feed a baseline and prove life.

use crate::decimal::{Decimal, pow10};

/// An accepted quote in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Best bid.
    pub bid: i64,
    /// Best ask.
    pub ask: i64,
}

impl Quote {
    /// Returns bid + ask: twice the mid.
    #[inline]
    pub const fn double_mid(self) -> i64 {
        self.bid.wrapping_add(self.ask)
    }

    /// Returns ask - bid.
    #[inline]
    pub const fn spread(self) -> i64 {
        self.ask.wrapping_sub(self.bid)
    }
}

/// Why a tick is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCause {
    /// NaN, infinite or too large.
    NonFinite,
    /// Zero or below.
    NotPositive,
    /// Bid above ask.
    Crossed,
    /// No such symbol.
    Unknown,
    /// Its stamp runs back.
    Back,
}

impl BadCause {
    /// All causes in the order of their counters.
    pub const ALL: [Self; 5] = [
        Self::NonFinite,
        Self::NotPositive,
        Self::Crossed,
        Self::Unknown,
        Self::Back,
    ];

    /// Returns the name that status shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NonFinite => "non_finite",
            Self::NotPositive => "not_positive",
            Self::Crossed => "crossed",
            Self::Unknown => "unknown_symbol",
            Self::Back => "running_back",
        }
    }
}

/// What becomes of a valid tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is processed as accepted.
    Accept,
    /// It is processed as accepted and ends a pause for a jump.
    AcceptResolved,
    /// It is the first suspect: the pause begins.
    SuspectFirst,
    /// It replaces the suspect.
    SuspectNext,
}

/// The largest jump, as `mantissa / unit`.
#[derive(Clone, Copy, Debug)]
pub struct JumpLimit {
    mantissa: u128,
    unit: u128,
    narrow: Option<(u64, u64)>,
    shift: u32,
}

impl JumpLimit {
    /// Takes the configured fraction.
    pub fn new(fraction: Decimal) -> Self {
        let mantissa = fraction.mantissa().unsigned_abs();
        let unit = pow10(u32::from(fraction.scale()))
            .unwrap_or(i128::MAX)
            .unsigned_abs();
        let narrow = u64::try_from(mantissa).ok().zip(u64::try_from(unit).ok());
        // The largest power of one half that is not above the fraction.
        let shift = (0..63)
            .find(|shift| mantissa.saturating_mul(1 << shift) >= unit)
            .unwrap_or(63);
        Self {
            mantissa,
            unit,
            narrow,
            shift,
        }
    }

    /// Returns true only when `holds` is true, at the price of a shift; false says nothing.
    #[inline]
    pub const fn surely_holds(&self, a: i64, b: i64) -> bool {
        a.wrapping_sub(b).wrapping_abs() <= b >> self.shift
    }

    /// Returns whether `|a - b| <= fraction x b`, for mids doubled alike.
    #[inline]
    pub fn holds(&self, a: i64, b: i64) -> bool {
        let distance = u128::from(a.abs_diff(b));
        let from = u128::from(b.unsigned_abs());
        match self.narrow {
            Some((mantissa, unit)) => {
                distance.wrapping_mul(u128::from(unit)) <= from.wrapping_mul(u128::from(mantissa))
            }
            None => distance.saturating_mul(self.unit) <= from.saturating_mul(self.mantissa),
        }
    }
}

/// Checks what makes a tick bad.
///
/// # Errors
/// The first cause that holds.
#[inline]
pub fn check(
    bid: Option<i64>,
    ask: Option<i64>,
    stamp: i64,
    last_stamp: i64,
) -> Result<Quote, BadCause> {
    let (Some(bid), Some(ask)) = (bid, ask) else {
        return Err(BadCause::NonFinite);
    };
    if bid <= 0 || ask <= 0 {
        return Err(BadCause::NotPositive);
    }
    if bid > ask {
        return Err(BadCause::Crossed);
    }
    if stamp < last_stamp {
        return Err(BadCause::Back);
    }
    Ok(Quote { bid, ask })
}

/// Says what becomes of a valid tick, and keeps or drops the suspect.
#[inline]
pub fn take(
    quote: Quote,
    accepted: Option<Quote>,
    suspect: &mut Option<Quote>,
    limit: &JumpLimit,
) -> Verdict {
    let Some(accepted) = accepted else {
        return Verdict::Accept;
    };
    let mid = quote.double_mid();
    let near = limit.holds(mid, accepted.double_mid());
    match *suspect {
        None if near => Verdict::Accept,
        None => {
            *suspect = Some(quote);
            Verdict::SuspectFirst
        }
        Some(known) if near || limit.holds(mid, known.double_mid()) => {
            *suspect = None;
            Verdict::AcceptResolved
        }
        Some(_) => {
            *suspect = Some(quote);
            Verdict::SuspectNext
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(mid: i64) -> Quote {
        Quote { bid: mid, ask: mid }
    }

    #[test]
    fn exactly_two_percent_is_no_jump_and_a_point_more_is() {
        let limit = JumpLimit::new(Decimal::new(2, 2));
        let (last, mut suspect) = (Some(quote(100_000)), None);
        assert_eq!(
            take(quote(102_000), last, &mut suspect, &limit),
            Verdict::Accept
        );
        assert_eq!(
            take(quote(102_001), last, &mut suspect, &limit),
            Verdict::SuspectFirst
        );
        assert_eq!(
            take(quote(150_000), last, &mut suspect, &limit),
            Verdict::SuspectNext
        );
        assert_eq!(
            take(quote(150_001), last, &mut suspect, &limit),
            Verdict::AcceptResolved
        );
        assert_eq!(suspect, None);
    }

    #[test]
    fn the_distance_to_a_suspect_is_measured_from_the_suspect() {
        let limit = JumpLimit::new(Decimal::new(2, 2));
        let (last, mut suspect) = (Some(quote(100_000)), Some(quote(200_000)));
        assert_eq!(
            take(quote(204_001), last, &mut suspect, &limit),
            Verdict::SuspectNext
        );
        assert_eq!(
            take(quote(199_921), last, &mut suspect, &limit),
            Verdict::AcceptResolved
        );
        suspect = Some(quote(200_000));
        assert_eq!(
            take(quote(100_001), last, &mut suspect, &limit),
            Verdict::AcceptResolved
        );
    }

    #[test]
    fn what_the_quick_test_lets_pass_is_no_jump() {
        for (mantissa, scale) in [(2, 2), (3, 3), (5, 1), (1, 0), (25, 4), (0, 0)] {
            let limit = JumpLimit::new(Decimal::new(mantissa, scale));
            for last in [1, 7, 64, 277_400, 1_000_000_007] {
                for step in [0, 1, 2, 5, 100, 5_000, 20_000_000] {
                    for mid in [last + step, last - step] {
                        assert!(
                            !limit.surely_holds(mid, last) || limit.holds(mid, last),
                            "{mid} {last}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn bad_ticks_name_their_cause() {
        assert_eq!(check(None, Some(1), 10, 10), Err(BadCause::NonFinite));
        assert_eq!(check(Some(0), Some(1), 10, 10), Err(BadCause::NotPositive));
        assert_eq!(check(Some(2), Some(1), 10, 10), Err(BadCause::Crossed));
        assert_eq!(check(Some(1), Some(1), 9, 10), Err(BadCause::Back));
        assert_eq!(check(Some(1), Some(1), 10, 10), Ok(quote(1)));
    }
}
