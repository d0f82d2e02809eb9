//! Snapshots, fills and transfers: what moves the book and the money.

use std::collections::BTreeSet;

use crate::account::Account;
use crate::book::Position;
use crate::config::FINE_SCALE;
use crate::context::Context;
use crate::decimal::Decimal;
use crate::decision::Finding;
use crate::facts::VOLUME_SCALE;
use crate::msgpack::Amount;
use crate::price::Price;
use crate::types::{Action, Code, Entry, Side, Trigger};

/// Deals that are remembered; the smallest is forgotten first.
const SEEN_MAX: usize = 65_536;
/// Largest amount of money in units, either sign.
const MONEY_MAX: i128 = 100_000_000_000_000_000;
/// Largest volume in 1e-8 lots.
const VOLUME_MAX: i128 = 100_000_000_000_000_000;
/// Kinds of transfers that move references.
const TRANSFER_KINDS: [&str; 4] = ["balance", "credit", "bonus", "correction"];

/// Deals that have been seen.
#[derive(Clone, Debug, Default)]
pub struct SeenDeals {
    deals: BTreeSet<i64>,
}

impl SeenDeals {
    /// Notes a deal; returns whether it is new.
    pub fn note(&mut self, deal: i64) -> bool {
        let is_new = self.deals.insert(deal);
        if self.deals.len() > SEEN_MAX {
            self.deals.pop_first();
        }
        is_new
    }
}

/// A position of a snapshot, with its symbol known.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPosition {
    /// Position as the wire has it, without its symbol's name.
    pub id: i64,
    /// Ticket.
    pub ticket: i64,
    /// Symbol.
    pub symbol: u32,
    /// Direction.
    pub side: Side,
    /// Lots.
    pub volume: Amount,
    /// Current price.
    pub price_current: Price,
    /// Swap.
    pub swap: Amount,
    /// Profit.
    pub profit: Amount,
    /// Magic number.
    pub magic: i64,
    /// Whether it has a stop loss.
    pub has_stop: bool,
}

/// A snapshot without its positions.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Balance.
    pub balance: Amount,
    /// Equity.
    pub equity: Amount,
    /// Last deal that it contains.
    pub last_deal: Option<i64>,
    /// Whether it answers an earlier breach.
    pub is_fresh: bool,
}

/// A deal, with its symbol known.
#[derive(Clone, Copy, Debug)]
pub struct Deal {
    /// Number.
    pub deal: i64,
    /// Identifier of its position.
    pub position: i64,
    /// Symbol.
    pub symbol: u32,
    /// Direction.
    pub side: Side,
    /// What it does.
    pub entry: Entry,
    /// Lots.
    pub volume: Amount,
    /// Price.
    pub price: Price,
    /// Profit, commission, swap, fee.
    pub amounts: [Amount; 4],
    /// Magic number.
    pub magic: Option<i64>,
}

/// Reads money in fine units; `None` when it is missing, invalid or too large.
fn money(amount: Amount) -> Option<i128> {
    let decimal = amount.value()?;
    let fine = decimal.to_scaled(FINE_SCALE)?;
    let limit = Decimal::new(MONEY_MAX, 0);
    let magnitude = Decimal::new(decimal.mantissa().checked_abs()?, decimal.scale());
    magnitude.compare(limit).is_le().then_some(fine)
}

/// Reads a volume in 1e-8 lots; `None` when it is no number from zero on.
fn volume(amount: Amount) -> Option<i64> {
    let units = amount.value()?.to_scaled(VOLUME_SCALE)?;
    (0..=VOLUME_MAX)
        .contains(&units)
        .then(|| i64::try_from(units).ok())
        .flatten()
}

impl Account {
    /// Takes a snapshot. One without usable figures counts as an error and makes marked equity untrusted.
    /// Returns whether it was valid.
    pub fn on_snapshot(
        &mut self,
        snapshot: &Snapshot,
        rows: &[SnapshotPosition],
        ctx: &mut Context<'_>,
    ) -> bool {
        let figures = money(snapshot.balance).zip(money(snapshot.equity));
        let positions = self.read_positions(rows);
        let (Some((balance, equity)), Some((positions, unmarkable))) = (figures, positions) else {
            self.refuse_snapshot(ctx);
            return false;
        };
        if self.is_untrusted {
            self.is_untrusted = false;
            ctx.out.push(Finding::new(
                Trigger::Input,
                Action::Release,
                Code::EquityUntrusted,
            ));
        }
        self.replace_book(positions, ctx);
        self.equity.snapshots = self.equity.snapshots.saturating_add(1);
        self.equity.reported = equity;
        self.equity.anchor = equity;
        self.equity.balance = balance;
        self.equity.floating = 0;
        self.equity.missing = 0;
        self.equity.unmarkable = unmarkable;
        self.equity.last_deal = snapshot.last_deal;
        self.equity.at = ctx.now.boot_ns;
        self.step.is_dirty = true;
        self.step.is_snapshot = true;
        self.step.is_fresh = snapshot.is_fresh;
        self.rebuild_scopes();
        self.report_scopes();
        self.raise_peak(ctx.now.wall_ns);
        self.first_references(ctx);
        self.watch_ages(ctx);
        self.refresh_all();
        true
    }

    fn refuse_snapshot(&mut self, ctx: &mut Context<'_>) {
        self.count_class("bad_account", None, ctx);
        self.step.is_dirty = true;
        if !self.is_untrusted {
            self.is_untrusted = true;
            ctx.out.push(Finding::new(
                Trigger::Input,
                Action::Pause,
                Code::EquityUntrusted,
            ));
        }
    }

    fn read_positions(&self, rows: &[SnapshotPosition]) -> Option<(Vec<Position>, u32)> {
        let mut positions = Vec::with_capacity(rows.len());
        let mut unmarkable: u32 = 0;
        for row in rows {
            let volume = volume(row.volume).filter(|units| *units > 0)?;
            let carried = money(row.profit)?.checked_add(money(row.swap)?)?;
            let facts = self
                .symbol(row.symbol)
                .and_then(|symbol| symbol.facts.as_ref());
            if facts.is_none() {
                unmarkable = unmarkable.saturating_add(1);
            }
            let points = row
                .price_current
                .to_points(facts.map_or(0, |facts| facts.digits))?;
            let mut position = Position {
                id: row.id,
                ticket: row.ticket,
                symbol: row.symbol,
                magic: row.magic,
                long: 0,
                short: 0,
                cost: 0,
                carried,
                has_stop: row.has_stop,
            };
            position.add(row.side, volume, points);
            positions.push(position);
        }
        Some((positions, unmarkable))
    }

    fn replace_book(&mut self, positions: Vec<Position>, ctx: &Context<'_>) {
        for id in core::mem::take(&mut self.exposed) {
            if let Some(symbol) = self.symbol_mut(id) {
                symbol.hot.sums = crate::book::Sums::default();
                symbol.hot.part = 0;
                symbol.is_missing = false;
            }
        }
        self.book.clear();
        for position in positions {
            self.book.push(position);
        }
        self.book.sort();
        for position in self.book.all() {
            let place = usize::try_from(position.symbol).unwrap_or(usize::MAX);
            if let Some(symbol) = self.symbols.get_mut(place) {
                symbol.hot.sums.add(position);
                symbol.hot.priced_at = ctx.now.boot_ns;
            }
        }
        self.rebuild_exposure(ctx.names);
    }

    /// Takes a deal.
    pub fn on_fill(&mut self, deal: &Deal, ctx: &mut Context<'_>) {
        let mut sum: i128 = 0;
        for amount in deal.amounts {
            match (amount, money(amount)) {
                (Amount::Missing, _) => {}
                (_, Some(value)) => sum = sum.saturating_add(value),
                (_, None) => return,
            }
        }
        let facts = self
            .symbol(deal.symbol)
            .and_then(|symbol| symbol.facts.as_ref());
        let points = deal.price.to_points(facts.map_or(0, |facts| facts.digits));
        let (Some(volume), Some(points)) = (volume(deal.volume), points) else {
            return;
        };
        if !self.seen.note(deal.deal) {
            return;
        }
        if self.equity.snapshots == 0 {
            self.realise_early(deal, sum);
            return;
        }
        if self.equity.last_deal.is_some_and(|last| deal.deal <= last) {
            return;
        }
        match deal.entry {
            // A deal of volume zero moves money alone.
            Entry::In if volume == 0 => {}
            Entry::In => self.open(deal, volume, points),
            Entry::Out | Entry::OutBy => {
                self.close(deal, volume, sum);
            }
            Entry::InOut => {
                let closed = self.close(deal, volume, sum);
                let rest = volume.saturating_sub(closed);
                if rest > 0 {
                    self.open(deal, rest, points);
                }
            }
        }
        self.step.is_dirty = true;
        self.rebuild_scopes();
        self.rebuild_exposure(ctx.names);
        self.revalue_exposed();
        self.watch_ages(ctx);
        self.refresh_all();
    }

    /// A closing deal before the first snapshot moves nothing but the results of scopes whose reference was loaded: the
    /// snapshot to come contains its money, and no longer its position.
    fn realise_early(&mut self, deal: &Deal, sum: i128) {
        if self.day.reference.is_some() && deal.entry != Entry::In {
            self.realise(deal.symbol, deal.magic.unwrap_or(0), sum);
        }
    }

    fn open(&mut self, deal: &Deal, volume: i64, points: i64) {
        if let Some(symbol) = self.symbol(deal.symbol)
            && symbol.facts.is_none()
        {
            self.equity.unmarkable = self.equity.unmarkable.saturating_add(1);
        }
        let before = self.book.get(deal.position).copied();
        let mut position = before.unwrap_or(Position {
            id: deal.position,
            ticket: deal.position,
            symbol: deal.symbol,
            magic: deal.magic.unwrap_or(0),
            long: 0,
            short: 0,
            cost: 0,
            carried: 0,
            has_stop: false,
        });
        position.add(deal.side, volume, points);
        self.replace(before.as_ref(), Some(position));
    }

    /// Closes up to the position's volume and returns how much; the deal's money counts in any case.
    fn close(&mut self, deal: &Deal, volume: i64, sum: i128) -> i64 {
        self.equity.anchor = self.equity.anchor.saturating_add(sum);
        self.equity.balance = self.equity.balance.saturating_add(sum);
        self.step.is_dirty = true;
        let Some(before) = self.book.get(deal.position).copied() else {
            self.realise(deal.symbol, deal.magic.unwrap_or(0), sum);
            return 0;
        };
        self.realise(before.symbol, before.magic, sum);
        let closed = volume.min(before.volume());
        let mut after = before;
        let carried = after.close(closed);
        self.equity.anchor = self.equity.anchor.saturating_sub(carried);
        self.replace(Some(&before), (after.volume() > 0).then_some(after));
        closed
    }

    fn replace(&mut self, before: Option<&Position>, after: Option<Position>) {
        if let Some(before) = before {
            if let Some(symbol) = self.symbol_mut(before.symbol) {
                symbol.hot.sums.remove(before);
            }
            self.book.remove(before.id);
        }
        if let Some(after) = after {
            if let Some(symbol) = self.symbol_mut(after.symbol) {
                symbol.hot.sums.add(&after);
            }
            self.book.insert(after);
        }
    }

    /// Takes a transfer or another booking. One before the first snapshot counts against the references that were
    /// loaded; the snapshot to come contains its money.
    pub fn on_transfer(&mut self, kind: &str, amount: Amount) {
        let Some(amount) = money(amount) else { return };
        let is_early = self.equity.snapshots == 0;
        if !is_early {
            self.equity.anchor = self.equity.anchor.saturating_add(amount);
            self.equity.balance = self.equity.balance.saturating_add(amount);
        }
        if TRANSFER_KINDS.contains(&kind) {
            let earlier = self.earlier_day.as_mut();
            for day in earlier.into_iter().chain([&mut self.day]) {
                if !is_early || day.reference.is_some() {
                    day.transfers = day.transfers.saturating_add(amount);
                }
            }
            if !is_early || self.peak.peak.is_some() {
                self.peak.transfers = self.peak.transfers.saturating_add(amount);
            }
        }
        self.step.is_dirty = true;
    }

    /// Counts an error of a class unless the configuration leaves it out.
    pub fn count_class(&mut self, class: &str, pair: Option<(u32, i64)>, ctx: &mut Context<'_>) {
        if self
            .config
            .limits
            .errors_not_counted
            .iter()
            .any(|one| one == class)
        {
            return;
        }
        self.errors
            .count_error(pair, &self.config.limits, &mut self.queue, ctx);
    }
}
