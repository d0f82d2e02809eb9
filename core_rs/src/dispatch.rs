//! From a frame to the accounts: decoding, numbering, duplicates, and one handler per message.

use crate::account::Account;
use crate::config::Config;
use crate::names::UNKNOWN;
use crate::decimal::Decimal;
use crate::engine::{Engine, Flags};
use crate::error::CoreError;
use crate::facts::{DIGITS_MAX, Fact, FactLayer};
use crate::fills::{Deal, Snapshot, SnapshotPosition};
use crate::msgpack::{Cursor, Malformed};
use crate::sequence::Verdict;
use crate::symbol::PUBLISHERS;
use crate::ticks::{ExactQuote, TickRow};
use crate::triggers::connection_lost::Source;
use crate::types::{Now, Origin, ProfitMode};
use crate::wire::{self, Header, List, Message};

/// Largest number of names that messages may add: a bound against strangers.
const NAMES_MAX: usize = 100_000;

impl Engine {
    /// Takes one message.
    ///
    /// # Errors
    /// In a replay, `CoreError::Config` when symbol facts do not fit together; live they count as malformed.
    pub fn on_frame(&mut self, payload: &[u8], now: Now, origin: Origin) -> Result<Flags, CoreError> {
        let Ok((header, message)) = wire::decode(payload) else {
            return Ok(self.malformed(now, origin));
        };
        if let Message::Ticks(list) = message {
            return Ok(self.on_tick_frame(&header, list, now, origin));
        }
        self.on_rare_frame(&header, message, now, origin)
    }

    /// Bytes that are no message cost a counter and nothing else; they still are an event.
    #[cold]
    fn malformed(&mut self, now: Now, origin: Origin) -> Flags {
        self.counters.malformed = self.counters.malformed.saturating_add(1);
        self.index = self.index.saturating_add(1);
        self.move_clock(now, origin);
        let mut flags = self.flags();
        flags.add(Flags::MALFORMED);
        flags
    }

    /// Returns the account's place: `None` for every account, an error for one that is not configured.
    fn target(&mut self, header: &Header<'_>) -> Result<Option<usize>, Malformed> {
        if header.account.is_empty() {
            return if header.tag == 1 || header.tag == 5 { Ok(None) } else { Err(Malformed) };
        }
        let place = self.accounts.iter().position(|account| account.config.id == header.account);
        if place.is_none() {
            self.counters.unknown_account = self.counters.unknown_account.saturating_add(1);
        }
        place.map(Some).ok_or(Malformed)
    }

    fn publisher(&mut self, name: &str) -> u32 {
        let known = self.publishers.lookup(name.as_bytes());
        if known != UNKNOWN || self.publishers.len() >= NAMES_MAX {
            return known;
        }
        self.publishers.intern(name)
    }

    /// Checks the sequence number; `None` lets the message pass.
    fn sequence(&mut self, header: &Header<'_>, target: Option<usize>) -> Option<u32> {
        let seq = header.seq?;
        let publisher = self.publisher(header.source);
        let account = target.map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX));
        match self.sequences.take((header.tag, account, publisher), header.epoch, seq) {
            Verdict::Next => None,
            Verdict::Old => {
                self.counters.ignored = self.counters.ignored.saturating_add(1);
                Some(Flags::IGNORED)
            }
            Verdict::Gap if !self.is_live => None,
            Verdict::Gap if matches!(header.tag, 2 | 3 | 4 | 6) => {
                self.counters.holes = self.counters.holes.saturating_add(1);
                Some(Flags::HOLE)
            }
            Verdict::Gap => {
                let holes = if header.tag == 1 { 1 } else { 0 };
                self.counters.tick_holes = self.counters.tick_holes.saturating_add(holes);
                None
            }
        }
    }

    fn on_tick_frame(&mut self, header: &Header<'_>, list: List<'_>, now: Now, origin: Origin) -> Flags {
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
        self.rows.clear();
        self.exact.clear();
        let mut bytes = list.cursor.rest();
        for _ in 0..list.count {
            if let Some((tick, rest)) = wire::read_plain_tick(bytes) {
                bytes = rest;
                self.rows.push(TickRow {
                    bid: tick.bid,
                    ask: tick.ask,
                    stamp: tick.source_ns.unwrap_or(now.wall_ns),
                    symbol: self.names.lookup(tick.symbol),
                    exact: 0,
                });
                continue;
            }
            bytes = self.read_exact_row(bytes, now)?;
        }
        if bytes.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// Reads a quote whose prices are texts or integers, or whose form is unusual.
    fn read_exact_row<'a>(&mut self, bytes: &'a [u8], now: Now) -> Result<&'a [u8], Malformed> {
        let mut cursor = Cursor::new(bytes);
        let tick = wire::read_tick(&mut cursor)?;
        self.exact.push(ExactQuote { bid: tick.bid, ask: tick.ask });
        self.rows.push(TickRow {
            bid: f64::NAN,
            ask: f64::NAN,
            stamp: tick.source_ns.unwrap_or(now.wall_ns),
            symbol: self.names.lookup(tick.symbol),
            exact: u32::try_from(self.exact.len()).map_err(|_| Malformed)?,
        });
        Ok(cursor.rest())
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
                let quote = Quoted { row, prices: row.prices(&exact), publisher: slot };
                valid = valid.saturating_add(usize::from(self.run_row(&quote, target, now, origin)));
                at = at.saturating_add(1);
            }
        }
        if rows.is_empty() {
            self.index = self.index.saturating_add(1);
        }
        let bad = rows.len().saturating_sub(valid);
        self.counters.ticks = self.counters.ticks.saturating_add(u64::try_from(rows.len()).unwrap_or(0));
        self.rows = rows;
        self.exact = exact;
        if bad > 0 {
            let publisher = self.publisher(publisher);
            let count = self.bad_by_publisher.entry(publisher).or_default();
            *count = count.saturating_add(u64::try_from(bad).unwrap_or(0));
        }
        if self.is_live && valid > 0 {
            self.prove_feed(target, publisher, now, origin);
        }
        self.refresh_due();
    }

    /// Takes one quote on its account, or on every account. Returns whether it was valid on any.
    #[inline]
    pub(crate) fn run_row(&mut self, quote: &Quoted<'_>, target: Option<usize>, now: Now, origin: Origin) -> bool {
        let range = target.map_or(0..self.accounts.len(), |at| at..at.saturating_add(1));
        let (row, publisher) = (quote.row, quote.publisher);
        let mut is_valid = false;
        for at in range {
            let prices = quote.prices;
            let is_plain =
                |one: &mut Account| one.on_plain_exact(row, prices, publisher, now.boot_ns);
            if self.accounts.get_mut(at).is_some_and(is_plain) {
                is_valid = true;
                continue;
            }
            let work = self.on_account(at, now, origin, |account, ctx| account.on_tick(row, prices, publisher, ctx));
            is_valid |= work.unwrap_or(false);
        }
        self.finish_step();
        is_valid
    }

    /// Live, any valid tick of a feed is its proof.
    fn prove_feed(&mut self, target: Option<usize>, publisher: &str, now: Now, origin: Origin) {
        let range = target.map_or(0..self.accounts.len(), |at| at..at.saturating_add(1));
        for at in range {
            self.on_account(at, now, origin, |account, _| account.prove_source(publisher, true, now));
        }
    }

    fn on_rare_frame(&mut self, header: &Header<'_>, message: Message<'_>, now: Now, origin: Origin) -> Result<Flags, CoreError> {
        let Ok(target) = self.target(header) else {
            return Ok(self.malformed(now, origin));
        };
        let Ok(rows) = self.read_positions(&message) else {
            return Ok(self.malformed(now, origin));
        };
        let facts = match &message {
            Message::Symbol(facts) => match fact_layer(facts) {
                Ok(layer) => Some(layer),
                Err(Malformed) => return Ok(self.malformed(now, origin)),
            },
            _ => None,
        };
        let notice = self.sequence(header, target);
        self.index = self.index.saturating_add(1);
        self.move_clock(now, origin);
        let mut result = Ok(());
        if notice != Some(Flags::IGNORED) {
            let pair = self.error_pair(header, &message);
            let range = target.map_or(0..self.accounts.len(), |at| at..at.saturating_add(1));
            let event = Event { header, message: &message, rows: &rows, facts: facts.as_ref(), pair };
            for at in range {
                let symbol = self.symbol_of(&message);
                let outcome = self.on_account(at, now, origin, |account, ctx| account.on_event(&event, symbol, ctx));
                if let Some(Err(sentence)) = outcome {
                    result = Err(CoreError::config(sentence));
                }
                if let (Some(_), Some(account)) = (&facts, self.accounts.get_mut(at)) {
                    account.build_sessions(&self.config.feeds, &self.names);
                }
            }
            if self.is_live && matches!(message, Message::Account(_) | Message::Terminal(_)) {
                self.on_broker_clock(header.t_ns, now, origin);
            }
            self.finish_step();
        }
        self.refresh_due();
        let mut flags = self.flags();
        flags.add(notice.unwrap_or(0));
        match result {
            Err(error) if !self.is_live => Err(error),
            Err(_) => {
                self.counters.malformed = self.counters.malformed.saturating_add(1);
                flags.add(Flags::MALFORMED);
                Ok(flags)
            }
            Ok(()) => Ok(flags),
        }
    }

    /// Returns the id of the symbol that a message names, a new one if needed.
    fn symbol_of(&mut self, message: &Message<'_>) -> u32 {
        match message {
            Message::Fill(fill) => self.intern(fill.symbol),
            Message::Symbol(facts) => self.intern(facts.symbol),
            _ => UNKNOWN,
        }
    }

    fn intern(&mut self, name: &str) -> u32 {
        let known = self.names.lookup(name.as_bytes());
        if known != UNKNOWN || self.names.len() >= NAMES_MAX {
            return known;
        }
        let id = self.names.intern(name);
        for account in &mut self.accounts {
            account.ensure_symbols(self.names.len());
        }
        id
    }

    fn read_positions(&mut self, message: &Message<'_>) -> Result<Vec<SnapshotPosition>, Malformed> {
        let Message::Account(snapshot) = message else { return Ok(Vec::new()) };
        let mut rows = Vec::with_capacity(snapshot.positions.count.min(1024));
        let mut cursor = snapshot.positions.cursor;
        for _ in 0..snapshot.positions.count {
            let row = wire::read_position(&mut cursor)?;
            rows.push(SnapshotPosition {
                id: row.identifier,
                ticket: row.ticket,
                symbol: self.intern(row.symbol),
                side: row.side,
                volume: row.volume,
                price_current: row.price_current,
                swap: row.swap,
                profit: row.profit,
                magic: row.magic,
                has_stop: row.stop_loss.to_points(8).is_some_and(|points| points != 0),
            });
        }
        Ok(rows)
    }

    fn error_pair(&mut self, header: &Header<'_>, message: &Message<'_>) -> Option<(u32, i64)> {
        let Message::Error(error) = message else { return None };
        let order = error.order.filter(|order| *order != 0)?;
        let publisher = self.publisher(header.source);
        (publisher != UNKNOWN).then_some((publisher, order))
    }

    /// Returns the configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

/// One quote with its prices, on its way to the accounts.
pub(crate) struct Quoted<'a> {
    pub(crate) row: &'a TickRow,
    pub(crate) prices: ExactQuote,
    pub(crate) publisher: u8,
}

/// One message on its way to an account.
pub(crate) struct Event<'a> {
    header: &'a Header<'a>,
    message: &'a Message<'a>,
    rows: &'a [SnapshotPosition],
    facts: Option<&'a FactLayer>,
    pair: Option<(u32, i64)>,
}

impl Account {
    fn on_event(&mut self, event: &Event<'_>, symbol: u32, ctx: &mut crate::context::Context<'_>) -> Result<(), String> {
        match event.message {
            Message::Fill(fill) => self.on_fill(
                &Deal {
                    deal: fill.deal,
                    position: fill.position,
                    symbol,
                    side: fill.side,
                    entry: fill.entry,
                    volume: fill.volume,
                    price: fill.price,
                    amounts: fill.amounts,
                    magic: fill.magic,
                },
                ctx,
            ),
            Message::Account(account) => {
                let snapshot = Snapshot {
                    balance: account.balance,
                    equity: account.equity,
                    last_deal: account.last_deal,
                    is_fresh: !self.is_live || account.request > 0,
                };
                self.on_snapshot(&snapshot, event.rows, ctx);
            }
            Message::Error(error) => {
                if event.header.source != "edgeguard" {
                    self.count_class(error.class, event.pair, ctx);
                }
            }
            Message::Heartbeat => self.prove_source(event.header.source, false, ctx.now),
            Message::Transfer(transfer) => self.on_transfer(transfer.kind, transfer.amount),
            Message::Terminal(terminal) => self.on_terminal(terminal.connected, ctx.now),
            Message::Symbol(_) => {
                if let Some(layer) = event.facts {
                    return self.update_facts(symbol, layer, ctx.names);
                }
            }
            Message::Ticks(_) => {}
        }
        Ok(())
    }

    fn on_terminal(&mut self, connected: bool, now: Now) {
        let limits = &self.config.limits;
        for (number, source) in (0u32..).zip(self.sources.iter_mut()) {
            if source.name() == "terminal" {
                if connected {
                    source.prove(number, now, limits, &mut self.queue);
                } else {
                    source.arm(number, now, limits, &mut self.queue);
                }
            }
        }
    }

    /// A heartbeat, or live a valid tick, of a publisher.
    pub(crate) fn prove_source(&mut self, publisher: &str, is_tick: bool, now: Now) {
        let limits = &self.config.limits;
        let feed = publisher.strip_prefix("feed:");
        if publisher == "terminal" || (publisher == "engine" && is_tick) || (feed.is_none() && publisher != "engine" && !is_tick) {
            return;
        }
        let plain = feed.unwrap_or(publisher);
        for (number, source) in (0u32..).zip(self.sources.iter_mut()) {
            let is_it = if publisher == "engine" {
                source.name() == "engine"
            } else {
                source.name().strip_prefix("feed:") == Some(plain)
            };
            if is_it {
                source.prove(number, now, limits, &mut self.queue);
                return;
            }
        }
        if is_tick || self.is_live || self.optional_feeds.iter().any(|name| name == publisher) || self.sources.len() >= 1024 {
            return;
        }
        let number = u32::try_from(self.sources.len()).unwrap_or(UNKNOWN);
        let mut source = Source::new(publisher.to_string(), crate::session::Session::default());
        source.prove(number, now, limits, &mut self.queue);
        self.sources.push(source);
    }
}

/// Reads the facts that a message tells; empty texts tell nothing.
fn fact_layer(facts: &wire::SymbolFacts<'_>) -> Result<FactLayer, Malformed> {
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_string);
    let number = |value: Option<&str>| match value.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => Decimal::parse(text.as_bytes()).map(|decimal| Some(Fact(decimal))).map_err(|_| Malformed),
    };
    let digits = match facts.digits {
        None => None,
        Some(digits) => Some(u8::try_from(digits).ok().filter(|digits| *digits <= DIGITS_MAX).ok_or(Malformed)?),
    };
    let mode = match facts.calc_mode.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(ProfitMode::of_calc_mode(text).ok_or(Malformed)?),
    };
    Ok(FactLayer {
        digits,
        contract_size: number(facts.contract_size)?,
        mode,
        currency_base: text(facts.currency_base),
        currency_profit: text(facts.currency_profit),
        tick_size: number(facts.tick_size)?,
        tick_value: number(facts.tick_value)?,
    })
}
