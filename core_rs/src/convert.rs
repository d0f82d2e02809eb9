//! Conversion of profit to the account currency: exact rationals, snapped half-even to 1e-6.

use crate::config::FINE_SCALE;
use crate::decimal::{div_half_even, gcd, pow10};
use crate::facts::Unit;
use crate::names::{Names, UNKNOWN};
use crate::price::power_of_ten;

/// Fine units (1e-20) of one snapped unit (1e-6).
const SNAP: i128 = 100_000_000_000_000;
/// Distance from a tie below which exact integers decide.
const TIE_BAND: f64 = 1e-3;
/// Bound below which the f64 product is within `TIE_BAND` of the exact one.
const FAST_MAX: f64 = 1e11;
const _: () = assert!(FINE_SCALE == 20);

/// One step between two currencies at a mid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Twice the mid, in points.
    pub double_mid: i64,
    /// Decimals of the points.
    pub digits: u8,
    /// Divide instead of multiply.
    pub inverse: bool,
}

/// Returns `change` (volume units x points) in fine units, exactly; only without tick value and conversion.
#[inline]
pub const fn exact(change: i128, unit: i128) -> i128 {
    change.saturating_mul(unit)
}

/// Returns `change x unit x rates` in fine units, snapped half-even to 1e-6.
pub fn snapped(change: i128, unit: Unit, rates: &[Rate]) -> i128 {
    let quick = approximate(change, unit, rates);
    if quick.abs() < FAST_MAX && (quick.fract().abs() - 0.5).abs() > TIE_BAND {
        return whole(quick.round()).saturating_mul(SNAP);
    }
    let steps = exact_ratio(change, unit, rates)
        .map(|(numerator, denominator)| div_half_even(numerator, denominator));
    steps
        .unwrap_or_else(|| whole(quick.round()))
        .saturating_mul(SNAP)
}

#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "the caller allows for the error"
)]
fn approximate(change: i128, unit: Unit, rates: &[Rate]) -> f64 {
    let (numerator, denominator) = match unit {
        Unit::Fine(unit) => (unit, 1),
        Unit::Ratio(numerator, denominator) => (numerator, denominator),
    };
    let mut value = change as f64 * (numerator as f64 / SNAP as f64) / denominator as f64;
    for rate in rates {
        let mid = rate.double_mid as f64 / 2.0 / power_of_ten(rate.digits).unwrap_or(f64::NAN);
        value = if rate.inverse {
            value / mid
        } else {
            value * mid
        };
    }
    value
}

#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "saturates, as is meant"
)]
fn whole(value: f64) -> i128 {
    value as i128
}

/// Returns the quotient in snapped units as a reduced fraction; `None` when it does not fit in 128 bits.
fn exact_ratio(change: i128, unit: Unit, rates: &[Rate]) -> Option<(i128, i128)> {
    let mut fraction = Fraction {
        numerator: change,
        denominator: 1,
    };
    match unit {
        Unit::Fine(unit) => fraction.times(unit, SNAP)?,
        Unit::Ratio(numerator, denominator) => {
            fraction.times(numerator, SNAP)?;
            fraction.times(1, denominator)?;
        }
    }
    for rate in rates {
        let mid = i128::from(rate.double_mid);
        let one = pow10(u32::from(rate.digits))?.checked_mul(2)?;
        if rate.inverse {
            fraction.times(one, mid)?;
        } else {
            fraction.times(mid, one)?;
        }
    }
    Some((fraction.numerator, fraction.denominator))
}

struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    /// Multiplies by a fraction of positive integers, cancelling first.
    fn times(&mut self, numerator: i128, denominator: i128) -> Option<()> {
        let cross = gcd(self.numerator, denominator).max(1);
        let other = gcd(numerator, self.denominator).max(1);
        let (above, below) = (
            self.numerator.checked_div(cross)?,
            self.denominator.checked_div(other)?,
        );
        self.numerator = above.checked_mul(numerator.checked_div(other)?)?;
        self.denominator = below.checked_mul(denominator.checked_div(cross)?)?;
        Some(())
    }
}

/// One leg of a route: a symbol's mid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The symbol.
    pub symbol: u32,
    /// Divide instead of multiply.
    pub inverse: bool,
}

/// How a currency becomes the account's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// It is the account's.
    Own,
    /// Through these legs, in this order.
    Legs(Vec<Leg>),
    /// No symbol with a price leads there.
    #[default]
    None,
}

/// A symbol that can convert: it has facts and a price.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The symbol.
    pub symbol: u32,
    /// Base currency.
    pub base: &'a str,
    /// Profit currency.
    pub profit: &'a str,
}

/// Finds the route from one currency to another: direct, inverse, through USD, through the first third currency.
pub fn find_route(from: &str, to: &str, pairs: &[Pair<'_>], names: &Names) -> Route {
    if from == to {
        return Route::Own;
    }
    if let Some(leg) = find_leg(from, to, pairs, names) {
        return Route::Legs(vec![leg]);
    }
    let mut thirds: Vec<&str> = pairs
        .iter()
        .flat_map(|pair| [pair.base, pair.profit])
        .collect();
    thirds.sort_unstable();
    thirds.dedup();
    thirds.retain(|third| *third != from && *third != to);
    let usd = thirds.iter().position(|third| *third == "USD");
    if let Some(at) = usd {
        let usd = thirds.remove(at);
        thirds.insert(0, usd);
    }
    for third in thirds {
        if let (Some(first), Some(second)) = (
            find_leg(from, third, pairs, names),
            find_leg(third, to, pairs, names),
        ) {
            return Route::Legs(vec![first, second]);
        }
    }
    Route::None
}

fn find_leg(from: &str, to: &str, pairs: &[Pair<'_>], names: &Names) -> Option<Leg> {
    let best = |base: &str, profit: &str| {
        pairs
            .iter()
            .filter(|pair| pair.base == base && pair.profit == profit && pair.symbol != UNKNOWN)
            .min_by_key(|pair| names.name(pair.symbol))
            .map(|pair| pair.symbol)
    };
    best(from, to)
        .map(|symbol| Leg {
            symbol,
            inverse: false,
        })
        .or_else(|| {
            best(to, from).map(|symbol| Leg {
                symbol,
                inverse: true,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EUR: Unit = Unit::Fine(1_000_000_000_000); // 100000 x 1e-5 x 1e-8 lots in 1e-20

    #[test]
    fn a_direct_rate_multiplies_and_an_inverse_one_divides() {
        // One lot (1e8 units) by 6 points of EURGBP (5 digits) is 6 GBP.
        let change = 600_000_000;
        let gbpusd = Rate {
            double_mid: 250_000,
            digits: 5,
            inverse: false,
        };
        assert_eq!(snapped(change, EUR, &[gbpusd]), 750 * pow10(18).unwrap());
        let usdjpy = Rate {
            double_mid: 200_000,
            digits: 3,
            inverse: true,
        };
        assert_eq!(snapped(change, EUR, &[usdjpy]), 60_000 * SNAP);
    }

    #[test]
    fn ties_are_decided_exactly() {
        // 1e-6 x 0.5 and 1.5: 0 and 2.
        let unit = Unit::Ratio(SNAP, 2);
        assert_eq!(snapped(1, unit, &[]), 0);
        assert_eq!(snapped(3, unit, &[]), 2 * SNAP);
        assert_eq!(snapped(-3, unit, &[]), -2 * SNAP);
    }

    #[test]
    fn routes_prefer_direct_then_inverse_then_usd_then_the_first_third() {
        let mut names = Names::default();
        let mut pair = |name: &str| names.intern(name);
        let (eurusd, usdjpy, eurjpy, aud_jpy, eur_aud) = (
            pair("EURUSD"),
            pair("USDJPY"),
            pair("EURJPY"),
            pair("AUDJPY"),
            pair("EURAUD"),
        );
        let all = [
            Pair {
                symbol: eurusd,
                base: "EUR",
                profit: "USD",
            },
            Pair {
                symbol: usdjpy,
                base: "USD",
                profit: "JPY",
            },
            Pair {
                symbol: eurjpy,
                base: "EUR",
                profit: "JPY",
            },
            Pair {
                symbol: aud_jpy,
                base: "AUD",
                profit: "JPY",
            },
            Pair {
                symbol: eur_aud,
                base: "EUR",
                profit: "AUD",
            },
        ];
        let leg = |symbol, inverse| Leg { symbol, inverse };
        assert_eq!(find_route("USD", "USD", &all, &names), Route::Own);
        assert_eq!(
            find_route("EUR", "USD", &all, &names),
            Route::Legs(vec![leg(eurusd, false)])
        );
        assert_eq!(
            find_route("JPY", "EUR", &all, &names),
            Route::Legs(vec![leg(eurjpy, true)])
        );
        let without = &all[..2];
        assert_eq!(
            find_route("JPY", "EUR", without, &names),
            Route::Legs(vec![leg(usdjpy, true), leg(eurusd, true)])
        );
        assert_eq!(
            find_route("JPY", "EUR", &all[3..], &names),
            Route::Legs(vec![leg(aud_jpy, true), leg(eur_aud, true)])
        );
        assert_eq!(find_route("CHF", "EUR", &all, &names), Route::None);
    }
}
