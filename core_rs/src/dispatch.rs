//! From a frame to the accounts: decoding, numbering, duplicates, and one handler per message.

use crate::account::Account;
use crate::config::Config;
use crate::decimal::Decimal;
use crate::engine::{Engine, Flags};
use crate::error::CoreError;
use crate::facts::{DIGITS_MAX, Fact, FactLayer};
use crate::fills::{Deal, Snapshot, SnapshotPosition};
use crate::msgpack::{Cursor, Malformed};
use crate::names::UNKNOWN;
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
    pub fn on_frame(
        &mut self,
        payload: &[u8],
        now: Now,
        origin: Origin,
    ) -> Result<Flags, CoreError> {
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
            return if header.tag == 1 || header.tag == 5 {
                Ok(None)
            } else {
                Err(Malformed)
            };
        }
        let place = self
            .accounts
            .iter()
            .position(|account| account.config.id == header.account);
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
        match self
            .sequences
            .take((header.tag, account, publisher), header.epoch, seq)
        {
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

    fn on_rare_frame(
        &mut self,
        header: &Header<'_>,
        message: Message<'_>,
        now: Now,
        origin: Origin,
    ) -> Result<Flags, CoreError> {
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
            let event = Event {
                header,
                message: &message,
                rows: &rows,
                facts: facts.as_ref(),
                pair,
            };
            for at in range {
                let symbol = self.symbol_of(&message);
                let outcome = self.on_account(at, now, origin, |account, ctx| {
                    account.on_event(&event, symbol, ctx)
                });
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

    fn read_positions(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Vec<SnapshotPosition>, Malformed> {
        let Message::Account(snapshot) = message else {
            return Ok(Vec::new());
        };
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
        let Message::Error(error) = message else {
            return None;
        };
        let order = error.order.filter(|order| *order != 0)?;
        let publisher = self.publisher(header.source);
        (publisher != UNKNOWN).then_some((publisher, order))
    }

    /// Returns the configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

