//! Open positions and their sums per symbol, so that a tick costs the same for one position and for ten thousand.

use crate::decimal::div_half_even;
use crate::triggers::price_input::Quote;
use crate::types::Side;

/// One open position: what the snapshot holds of it, and what fills added since.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Stable identifier, by which fills name it.
    pub id: i64,
    /// Ticket.
    pub ticket: i64,
    /// Symbol.
    pub symbol: u32,
    /// Magic number.
    pub magic: i64,
    /// Bought volume in 1e-8 lots.
    pub long: i64,
    /// Sold volume in 1e-8 lots.
    pub short: i64,
    /// Volume x price in points at which each part stands unchanged: bought minus sold.
    pub cost: i128,
    /// Profit and swap of the snapshot, in fine units.
    pub carried: i128,
    /// Whether it has a stop loss.
    pub has_stop: bool,
}

impl Position {
    /// Returns the volume of all parts.
    pub const fn volume(&self) -> i64 {
        self.long.saturating_add(self.short)
    }

    /// Adds a volume at a price in points.
    pub fn add(&mut self, side: Side, volume: i64, points: i64) {
        let cost = i128::from(volume).saturating_mul(i128::from(points));
        match side {
            Side::Buy => {
                self.long = self.long.saturating_add(volume);
                self.cost = self.cost.saturating_add(cost);
            }
            Side::Sell => {
                self.short = self.short.saturating_add(volume);
                self.cost = self.cost.saturating_sub(cost);
            }
        }
    }

    /// Takes another row of the same position in.
    pub const fn merge(&mut self, other: &Self) {
        self.long = self.long.saturating_add(other.long);
        self.short = self.short.saturating_add(other.short);
        self.cost = self.cost.saturating_add(other.cost);
        self.carried = self.carried.saturating_add(other.carried);
    }

    /// Takes a share of every part out and returns the snapshot profit and swap that leave with it.
    pub fn close(&mut self, volume: i64) -> i128 {
        let whole = self.volume();
        let left = whole.saturating_sub(volume.min(whole));
        let part = |amount: i64| i64::try_from(share(i128::from(amount), left, whole)).unwrap_or(0);
        let (long, carried) = (part(self.long), share(self.carried, left, whole));
        let removed = self.carried.saturating_sub(carried);
        self.cost = share(self.cost, left, whole);
        self.long = long;
        self.short = left.saturating_sub(long);
        self.carried = carried;
        removed
    }
}

/// amount x left / whole, half-even, without overflow for money in fine units.
fn share(amount: i128, left: i64, whole: i64) -> i128 {
    let (left, whole) = (i128::from(left), i128::from(whole.max(1)));
    if let Some(product) = amount.checked_mul(left) {
        return div_half_even(product, whole);
    }
    let (quotient, rest) = (amount.div_euclid(whole), amount.rem_euclid(whole));
    let tail = div_half_even(rest.saturating_mul(left), whole);
    quotient.saturating_mul(left).saturating_add(tail)
}

/// The positions of one symbol as four sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    long_volume: i64,
    short_volume: i64,
    /// Cost of the longs minus cost of the shorts.
    cost: i128,
    count: u32,
}

impl Sums {
    /// Returns whether there is no position.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a position.
    pub const fn add(&mut self, position: &Position) {
        self.count = self.count.saturating_add(1);
        self.long_volume = self.long_volume.saturating_add(position.long);
        self.short_volume = self.short_volume.saturating_add(position.short);
        self.cost = self.cost.saturating_add(position.cost);
    }

    /// Takes a position out.
    pub const fn remove(&mut self, position: &Position) {
        self.count = self.count.saturating_sub(1);
        self.long_volume = self.long_volume.saturating_sub(position.long);
        self.short_volume = self.short_volume.saturating_sub(position.short);
        self.cost = self.cost.saturating_sub(position.cost);
    }

    /// Returns the change of all positions at a quote, in volume units x points: long at bid, short at ask.
    #[inline]
    pub fn change(&self, quote: Quote) -> i128 {
        let long = i128::from(self.long_volume).wrapping_mul(i128::from(quote.bid));
        let short = i128::from(self.short_volume).wrapping_mul(i128::from(quote.ask));
        long.wrapping_sub(short).wrapping_sub(self.cost)
    }

    /// Returns how much the change of all positions moves between two quotes; `None` when that does not fit.
    #[inline]
    pub const fn change_between(&self, from: Quote, to: Quote) -> Option<i64> {
        let (bid, ask) = (to.bid.wrapping_sub(from.bid), to.ask.wrapping_sub(from.ask));
        match (
            self.long_volume.checked_mul(bid),
            self.short_volume.checked_mul(ask),
        ) {
            (Some(long), Some(short)) => long.checked_sub(short),
            _ => None,
        }
    }

    /// Returns net volume: longs minus shorts, in volume units.
    pub const fn net_volume(&self) -> i64 {
        self.long_volume.saturating_sub(self.short_volume)
    }
}

/// All positions, by identifier.
#[derive(Clone, Debug, Default)]
pub struct Book {
    positions: Vec<Position>,
}

impl Book {
    /// Returns all positions by identifier.
    pub fn all(&self) -> &[Position] {
        &self.positions
    }

    /// Returns all positions to change them; their identifiers must stay.
    pub fn all_mut(&mut self) -> &mut [Position] {
        &mut self.positions
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.positions.clear();
    }

    /// Adds a position of a snapshot; `sort` follows.
    pub fn push(&mut self, position: Position) {
        self.positions.push(position);
    }

    /// Sorts by identifier; rows of the same position become one.
    pub fn sort(&mut self) {
        self.positions.sort_by_key(|position| position.id);
        self.positions.dedup_by(|later, kept| {
            let is_same = later.id == kept.id && later.symbol == kept.symbol;
            if is_same {
                kept.merge(later);
            }
            is_same
        });
    }

    fn place(&self, id: i64) -> Result<usize, usize> {
        self.positions
            .binary_search_by_key(&id, |position| position.id)
    }

    /// Returns a position.
    pub fn get(&self, id: i64) -> Option<&Position> {
        self.place(id).ok().and_then(|at| self.positions.get(at))
    }

    /// Returns a position to change it.
    pub fn get_mut(&mut self, id: i64) -> Option<&mut Position> {
        self.place(id)
            .ok()
            .and_then(|at| self.positions.get_mut(at))
    }

    /// Puts a position in its place.
    pub fn insert(&mut self, position: Position) {
        match self.place(position.id) {
            Ok(at) => {
                if let Some(slot) = self.positions.get_mut(at) {
                    *slot = position;
                }
            }
            Err(at) => self.positions.insert(at, position),
        }
    }

    /// Takes a position away.
    pub fn remove(&mut self, id: i64) {
        if let Ok(at) = self.place(id) {
            self.positions.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(id: i64, side: Side, volume: i64, price: i64) -> Position {
        let mut one = Position {
            id,
            ticket: id,
            symbol: 0,
            magic: 0,
            long: 0,
            short: 0,
            cost: 0,
            carried: 1_000,
            has_stop: false,
        };
        one.add(side, volume, price);
        one
    }

    #[test]
    fn sums_equal_the_positions_one_by_one() {
        let mut sums = Sums::default();
        let all = [
            position(1, Side::Buy, 100, 50),
            position(2, Side::Sell, 30, 60),
            position(3, Side::Buy, 7, 55),
        ];
        for one in &all {
            sums.add(one);
        }
        let quote = Quote { bid: 52, ask: 58 };
        assert_eq!(sums.change(quote), 100 * 2 + 30 * 2 - 7 * 3);
        sums.remove(&all[0]);
        assert_eq!(sums.change(quote), 30 * 2 - 7 * 3);
    }

    #[test]
    fn closing_a_share_takes_that_share_of_everything() {
        let mut one = position(1, Side::Buy, 100, 50);
        assert_eq!(one.close(25), 250);
        assert_eq!((one.volume(), one.cost, one.carried), (75, 75 * 50, 750));
        assert_eq!(one.close(1_000), 750);
        assert_eq!((one.volume(), one.cost, one.carried), (0, 0, 0));
    }
}
