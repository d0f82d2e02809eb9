//! Tick batches: read as a whole, then run quote by quote, the ordinary ones in one tight loop.

use crate::account::Account;
use crate::engine::{Engine, Flags};
use crate::msgpack::{Cursor, Malformed};
use crate::symbol::PUBLISHERS;
use crate::ticks::{ExactQuote, TickRow};
use crate::types::{Now, Origin};
use crate::wire::{self, Header, List};

/// One quote with its prices, on its way to the accounts.
pub(crate) struct Quoted<'a> {
    pub(crate) row: &'a TickRow,
    pub(crate) prices: ExactQuote,
    pub(crate) publisher: u8,
}

impl Engine {
    pub(crate) fn on_tick_frame(
        &mut self,
        header: &Header<'_>,
        list: List<'_>,
        now: Now,
        origin: Origin,
    ) -> Flags {
        let Ok(target) = self.target(header) else {
            return self.malformed(now, origin);
        };
        if self.read_rows(list, now).is_err() {
            return self.malformed(now, origin);
        }
        let notice = self.sequence(header, target);
        let is_old = notice == Some(Flags::IGNORED);
        self.index = self.index.saturating_add(1);
        self.move_clock(now, origin);
        if is_old {
            let more = u64::try_from(self.rows.len().saturating_sub(1)).unwrap_or(0);
            self.index = self.index.saturating_add(more);
        } else {
            self.index = self.index.saturating_sub(1);
            self.run_rows(target, header.source, now, origin);
        }
        let mut flags = self.flags();
        flags.add(notice.unwrap_or(0));
        flags
    }

    /// Returns the place of a publisher's stamps. A replay has one stream of quotes.
    fn publisher_slot(&mut self, publisher: &str) -> u8 {
        if !self.is_live {
            return 0;
        }
        let id = self.publisher(publisher);
        let known = self.tick_publishers.iter().position(|one| *one == id);
        let slot = known.unwrap_or_else(|| {
            let next = self.tick_publishers.len();
            if next < PUBLISHERS {
                self.tick_publishers.push(id);
            }
            next
        });
        u8::try_from(slot.min(PUBLISHERS.saturating_sub(1))).unwrap_or(0)
    }

    /// Reads all quotes of a batch before any of them is taken: a batch counts as a whole or not at all.
    #[inline]
    fn read_rows(&mut self, list: List<'_>, now: Now) -> Result<(), Malformed> {
        self.exact.clear();
        self.rows.resize(list.count, TickRow::default());
        let mut bytes = list.cursor.rest();
        for row in &mut self.rows {
            if let Some((tick, rest)) = wire::read_plain_tick(bytes) {
                bytes = rest;
                row.bid = tick.bid;
                row.ask = tick.ask;
                row.stamp = tick.source_ns.unwrap_or(now.wall_ns);
                row.exact = 0;
                row.symbol = match u32::try_from(tick.symbol.len()) {
                    Ok(length @ 0..=8) => self.names.lookup_short(tick.word, length),
                    _ => self.names.lookup(tick.symbol),
                };
                continue;
            }
            let mut cursor = Cursor::new(bytes);
            let tick = wire::read_tick(&mut cursor)?;
            bytes = cursor.rest();
            self.exact.push(ExactQuote {
                bid: tick.bid,
                ask: tick.ask,
            });
            *row = TickRow {
                stamp: tick.source_ns.unwrap_or(now.wall_ns),
                symbol: self.names.lookup(tick.symbol),
                exact: u32::try_from(self.exact.len()).map_err(|_| Malformed)?,
                ..TickRow::default()
            };
        }
        let mut cursor = Cursor::new(bytes);
        for _ in 0..list.fields_after {
            cursor.skip()?;
        }
        if cursor.is_at_end() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Every quote is an event of its own.
    fn run_rows(&mut self, target: Option<usize>, publisher: &str, now: Now, origin: Origin) {
        let rows = core::mem::take(&mut self.rows);
        let exact = core::mem::take(&mut self.exact);
        let slot = self.publisher_slot(publisher);
        let only = target.or_else(|| (self.accounts.len() == 1).then_some(0));
        let (mut valid, mut at): (usize, usize) = (0, 0);
        while let Some(rest) = rows.get(at..).filter(|rest| !rest.is_empty()) {
            let plain = only.and_then(|only| self.accounts.get_mut(only));
            let count = plain.map_or(0, |account| account.run_plain(rest, slot, now.boot_ns));
            valid = valid.saturating_add(count);
            at = at.saturating_add(count);
            self.index = self.index.saturating_add(u64::try_from(count).unwrap_or(0));
            if let Some(row) = rows.get(at) {
                self.index = self.index.saturating_add(1);
                let quote = Quoted {
                    row,
                    prices: row.prices(&exact),
                    publisher: slot,
                };
                valid =
                    valid.saturating_add(usize::from(self.run_row(&quote, target, now, origin)));
                at = at.saturating_add(1);
            }
        }
        if rows.is_empty() {
            self.index = self.index.saturating_add(1);
        }
        let bad = rows.len().saturating_sub(valid);
        self.counters.ticks = self
            .counters
            .ticks
            .saturating_add(u64::try_from(rows.len()).unwrap_or(0));
        self.rows = rows;
        self.exact = exact;
        if bad > 0 {
            let publisher = self.publisher(publisher);
            let count = self.bad_by_publisher.entry(publisher).or_default();
            *count = count.saturating_add(u64::try_from(bad).unwrap_or(0));
        }
        if self.is_live && valid > 0 {
            self.note_ticks(target, publisher, now);
        }
        self.refresh_due();
    }

    /// Takes one quote on its account, or on every account. Returns whether it was valid on any.
    #[inline]
    pub(crate) fn run_row(
        &mut self,
        quote: &Quoted<'_>,
        target: Option<usize>,
        now: Now,
        origin: Origin,
    ) -> bool {
        let range = target.map_or(0..self.accounts.len(), |at| at..at.saturating_add(1));
        let (row, publisher) = (quote.row, quote.publisher);
        let mut is_valid = false;
        for at in range {
            let prices = quote.prices;
            let is_plain = |one: &mut Account| one.on_plain(row, prices, publisher, now.boot_ns);
            if self.accounts.get_mut(at).is_some_and(is_plain) {
                is_valid = true;
                continue;
            }
            let work = self.on_account(at, now, origin, |account, ctx| {
                account.on_tick(row, prices, publisher, ctx)
            });
            is_valid |= work.unwrap_or(false);
        }
        self.finish_step();
        is_valid
    }

    /// Live, any valid tick of a feed is its proof; the terminal's are noted.
    fn note_ticks(&mut self, target: Option<usize>, publisher: &str, now: Now) {
        let range = target.map_or(0..self.accounts.len(), |at| at..at.saturating_add(1));
        for account in self.accounts.get_mut(range).unwrap_or_default() {
            if publisher != "terminal" {
                account.prove_feed(publisher, now);
                continue;
            }
            for row in &self.rows {
                account.note_terminal_tick(row.symbol, now);
            }
        }
    }
}
