//! Tick batches: read as a whole, then run quote by quote, the ordinary ones in one tight loop.

use crate::account::Account;
use crate::engine::{Engine, Flags};
use crate::msgpack::{Cursor, Malformed};
use crate::names::Names;
use crate::streams::Stream;
use crate::symbol::PUBLISHERS;
use crate::ticks::{ExactQuote, TickRow};
use crate::types::{Now, Origin};
use crate::wire::{self, Batch, Header, List, PlainTick};

/// One quote with its prices, on its way to the accounts.
pub(crate) struct Quoted<'a> {
    pub(crate) row: &'a TickRow,
    pub(crate) prices: ExactQuote,
    pub(crate) publisher: u8,
}

/// Which stream a batch belongs to, when it came, and what evidence it is.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    place: usize,
    now: Now,
    origin: Origin,
}

/// Returns a quote in the usual form with its symbol looked up.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a call costs a tenth of the tick, measured"
)]
fn row_of(names: &Names, tick: &PlainTick<'_>, now: Now) -> TickRow {
    TickRow {
        bid: tick.bid,
        ask: tick.ask,
        stamp: tick.source_ns.unwrap_or(now.wall_ns),
        symbol: match u32::try_from(tick.symbol.len()) {
            Ok(length @ 0..=8) => names.lookup_short(tick.word, length),
            _ => names.lookup(tick.symbol),
        },
        exact: 0,
    }
}

impl Engine {
    /// Takes a tick batch of a stream that is not known yet, and knows it from then on.
    pub(crate) fn on_new_stream(
        &mut self,
        payload: &[u8],
        (header, list): (&Header<'_>, List<'_>),
        now: Now,
        origin: Origin,
    ) -> Flags {
        let read = self.target(header).and_then(|target| {
            self.read_rows(list, now)?;
            Ok((target, wire::stream_length(payload)?))
        });
        let Ok((target, (length, fields))) = read else {
            return self.malformed(now, origin);
        };
        let publisher = self.publisher(header.source);
        let stream = Stream {
            head: payload.get(..length).unwrap_or_default().into(),
            fields,
            target,
            name: header.source.into(),
            publisher,
            slot: self.publisher_slot(publisher),
            source: origin.source,
            heard_ns: now.boot_ns,
        };
        let place = self.streams.keep(stream);
        let batch = Batch {
            epoch: header.epoch,
            seq: header.seq,
            list,
        };
        self.take_rows(Arrival { place, now, origin }, &batch)
    }

    /// Takes a tick batch of a known stream; `None`, with nothing done, when it is malformed. Without an
    /// origin the batch's own number in its stream is the evidence.
    #[inline]
    pub(crate) fn on_stream_frame(
        &mut self,
        place: usize,
        payload: &[u8],
        now: Now,
        origin: Option<Origin>,
    ) -> Option<Flags> {
        let stream = self.streams.get_mut(place)?;
        let rest = payload.get(stream.head.len()..)?;
        let batch = wire::decode_batch(rest, stream.fields).ok()?;
        let origin = origin.unwrap_or(Origin {
            source: stream.source,
            line: u64::try_from(batch.seq.unwrap_or(0)).unwrap_or(0),
        });
        stream.source = origin.source;
        stream.heard_ns = now.boot_ns;
        let arrival = Arrival { place, now, origin };
        if let Some(row) = self.read_one(batch.list, now) {
            return Some(self.take_one(arrival, &batch, row));
        }
        self.read_rows(batch.list, now).ok()?;
        Some(self.take_rows(arrival, &batch))
    }

    /// Reads a batch of one quote in the usual form, which is what most feeds send.
    #[inline]
    fn read_one(&self, list: List<'_>, now: Now) -> Option<TickRow> {
        if list.count != 1 || list.fields_after != 0 {
            return None;
        }
        let (tick, rest) = wire::read_plain_tick(list.cursor.rest())?;
        rest.is_empty().then(|| row_of(&self.names, &tick, now))
    }

    /// Takes a batch of one quote without the buffers of a longer one.
    #[inline]
    fn take_one(&mut self, arrival: Arrival, batch: &Batch<'_>, row: TickRow) -> Flags {
        let Arrival { place, now, origin } = arrival;
        let Some((target, slot)) = self
            .streams
            .get_mut(place)
            .map(|one| (one.target, one.slot))
        else {
            return self.malformed(now, origin);
        };
        let notice = self.begin_batch(arrival, batch);
        if notice != Some(Flags::IGNORED) {
            let only = target.or_else(|| (self.accounts.len() == 1).then_some(0));
            let is_plain = only
                .and_then(|only| self.accounts.get_mut(only))
                .is_some_and(|one| one.run_one(row, slot, now.boot_ns));
            let is_valid = is_plain || {
                let quote = Quoted {
                    row: &row,
                    prices: row.prices(&[]),
                    publisher: slot,
                };
                self.run_row(&quote, target, now, origin)
            };
            let rows = core::slice::from_ref(&row);
            self.end_batch(place, rows, usize::from(is_valid), now);
        }
        let mut flags = self.flags();
        flags.add(notice.unwrap_or(0));
        flags
    }

    fn take_rows(&mut self, arrival: Arrival, batch: &Batch<'_>) -> Flags {
        let notice = self.begin_batch(arrival, batch);
        if notice == Some(Flags::IGNORED) {
            let more = u64::try_from(self.rows.len().saturating_sub(1)).unwrap_or(0);
            self.index = self.index.saturating_add(more);
        } else {
            // The first quote takes the batch's own index.
            self.index = self.index.saturating_sub(1);
            let rows = core::mem::take(&mut self.rows);
            let exact = core::mem::take(&mut self.exact);
            let valid = self.run_rows(arrival, &rows, &exact);
            self.end_batch(arrival.place, &rows, valid, arrival.now);
            self.rows = rows;
            self.exact = exact;
        }
        let mut flags = self.flags();
        flags.add(notice.unwrap_or(0));
        flags
    }

    /// Judges a batch's number, gives it an index and moves the clock to it.
    #[inline]
    fn begin_batch(&mut self, arrival: Arrival, batch: &Batch<'_>) -> Option<u32> {
        let stream = self.streams.get_mut(arrival.place)?;
        let key = (1, stream.target, stream.publisher);
        let notice = batch
            .seq
            .and_then(|seq| self.numbered(key, batch.epoch, seq));
        self.index = self.index.saturating_add(1);
        self.move_clock(arrival.now, arrival.origin);
        notice
    }

    /// Counts a batch's quotes, takes them as proof of life, and notes what falls due next.
    #[inline]
    fn end_batch(&mut self, place: usize, rows: &[TickRow], valid: usize, now: Now) {
        let count = u64::try_from(rows.len()).unwrap_or(0);
        self.counters.ticks = self.counters.ticks.saturating_add(count);
        if valid < rows.len() {
            self.count_bad(place, rows.len().saturating_sub(valid));
        }
        if self.is_live && valid > 0 {
            self.note_ticks(place, rows, now);
        }
        self.refresh_due();
    }

    #[cold]
    fn count_bad(&mut self, place: usize, count: usize) {
        if let Some(stream) = self.streams.get_mut(place) {
            let bad = self.bad_by_publisher.entry(stream.publisher).or_default();
            *bad = bad.saturating_add(u64::try_from(count).unwrap_or(0));
        }
    }

    /// Returns the place of a publisher's stamps. A replay has one stream of quotes.
    fn publisher_slot(&mut self, id: u32) -> u8 {
        if !self.is_live {
            return 0;
        }
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
                *row = row_of(&self.names, &tick, now);
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

    /// Runs the quotes that were read, each an event of its own; returns how many were valid.
    #[inline]
    fn run_rows(&mut self, arrival: Arrival, rows: &[TickRow], exact: &[ExactQuote]) -> usize {
        let Arrival { place, now, origin } = arrival;
        let Some((target, slot)) = self
            .streams
            .get_mut(place)
            .map(|one| (one.target, one.slot))
        else {
            return 0;
        };
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
                    prices: row.prices(exact),
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
        valid
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
    fn note_ticks(&mut self, place: usize, rows: &[TickRow], now: Now) {
        let Some(stream) = self.streams.get_mut(place) else {
            return;
        };
        let range = stream
            .target
            .map_or(0..self.accounts.len(), |at| at..at.saturating_add(1));
        for account in self.accounts.get_mut(range).unwrap_or_default() {
            if *stream.name != *"terminal" {
                account.prove_feed(&stream.name, now);
                continue;
            }
            for row in rows {
                account.note_terminal_tick(row.symbol, now);
            }
        }
    }
}
