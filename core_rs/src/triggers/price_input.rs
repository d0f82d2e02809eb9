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
    pub const ALL: [Self; 5] = [Self::NonFinite, Self::NotPositive, Self::Crossed, Self::Unknown, Self::Back];

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
}

impl JumpLimit {
    /// Takes the configured fraction.
    pub fn new(fraction: Decimal) -> Self {
        let mantissa = fraction.mantissa().unsigned_abs();
        let unit = pow10(u32::from(fraction.scale())).unwrap_or(i128::MAX).unsigned_abs();
        let narrow = u64::try_from(mantissa).ok().zip(u64::try_from(unit).ok());
        Self { mantissa, unit, narrow }
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

/// The filter of one symbol: its last accepted quote, its suspect, its last stamp.
#[derive(Clone, Copy, Debug)]
pub struct TickFilter {
    /// Last accepted quote.
    pub accepted: Option<Quote>,
    /// Latest suspect.
    pub suspect: Option<Quote>,
    /// Stamp of the last valid tick.
    pub stamp: i64,
}

impl Default for TickFilter {
    fn default() -> Self {
        Self { accepted: None, suspect: None, stamp: i64::MIN }
    }
}

impl TickFilter {
    /// Checks what makes a tick bad.
    ///
    /// # Errors
    /// The first cause that holds.
    #[inline]
    pub fn check(&self, bid: Option<i64>, ask: Option<i64>, stamp: i64) -> Result<Quote, BadCause> {
        let (Some(bid), Some(ask)) = (bid, ask) else {
            return Err(BadCause::NonFinite);
        };
        if bid <= 0 || ask <= 0 {
            return Err(BadCause::NotPositive);
        }
        if bid > ask {
            return Err(BadCause::Crossed);
        }
        if stamp < self.stamp {
            return Err(BadCause::Back);
        }
        Ok(Quote { bid, ask })
    }

    /// Takes a valid tick and says what becomes of it. The accepted quote itself is set by `accept`.
    #[inline]
    pub fn take(&mut self, quote: Quote, stamp: i64, limit: &JumpLimit) -> Verdict {
        self.stamp = stamp;
        let Some(accepted) = self.accepted else {
            return Verdict::Accept;
        };
        let mid = quote.double_mid();
        let near = limit.holds(mid, accepted.double_mid());
        match self.suspect {
            None if near => Verdict::Accept,
            None => {
                self.suspect = Some(quote);
                Verdict::SuspectFirst
            }
            Some(suspect) if near || limit.holds(mid, suspect.double_mid()) => {
                self.suspect = None;
                Verdict::AcceptResolved
            }
            Some(_) => {
                self.suspect = Some(quote);
                Verdict::SuspectNext
            }
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
        let mut filter = TickFilter { accepted: Some(quote(100_000)), ..TickFilter::default() };
        assert_eq!(filter.take(quote(102_000), 1, &limit), Verdict::Accept);
        assert_eq!(filter.take(quote(102_001), 2, &limit), Verdict::SuspectFirst);
        assert_eq!(filter.take(quote(150_000), 3, &limit), Verdict::SuspectNext);
        assert_eq!(filter.take(quote(150_001), 4, &limit), Verdict::AcceptResolved);
        assert_eq!(filter.suspect, None);
    }

    #[test]
    fn the_distance_to_a_suspect_is_measured_from_the_suspect() {
        let limit = JumpLimit::new(Decimal::new(2, 2));
        let mut filter = TickFilter { accepted: Some(quote(100_000)), ..TickFilter::default() };
        filter.take(quote(200_000), 1, &limit);
        assert_eq!(filter.take(quote(204_001), 2, &limit), Verdict::SuspectNext);
        assert_eq!(filter.take(quote(199_921), 3, &limit), Verdict::AcceptResolved);
        filter.take(quote(200_000), 4, &limit);
        assert_eq!(filter.take(quote(100_001), 5, &limit), Verdict::AcceptResolved);
    }

    #[test]
    fn bad_ticks_name_their_cause() {
        let filter = TickFilter { stamp: 10, ..TickFilter::default() };
        assert_eq!(filter.check(None, Some(1), 10), Err(BadCause::NonFinite));
        assert_eq!(filter.check(Some(0), Some(1), 10), Err(BadCause::NotPositive));
        assert_eq!(filter.check(Some(2), Some(1), 10), Err(BadCause::Crossed));
        assert_eq!(filter.check(Some(1), Some(1), 9), Err(BadCause::Back));
        assert_eq!(filter.check(Some(1), Some(1), 10), Ok(quote(1)));
    }
}
