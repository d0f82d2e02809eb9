//! From a frame to the accounts: decoding, numbering, duplicates, and one handler per message.

use crate::config::Config;
use crate::engine::{Engine, Flags};
use crate::error::CoreError;
use crate::events::{Event, fact_layer};
use crate::facts::FactLayer;
use crate::fills::SnapshotPosition;
use crate::msgpack::Malformed;
use crate::names::UNKNOWN;
use crate::sequence::Verdict;
use crate::types::{Now, Origin};
use crate::wire::{self, Header, Message};

/// Largest number of names that messages may add: a bound against strangers.
const NAMES_MAX: usize = 4_096;

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
        if let Some(place) = self.streams.find(payload) {
            let taken = self.on_stream_frame(place, payload, now, Some(origin));
            return Ok(taken.unwrap_or_else(|| self.malformed(now, origin)));
        }
        self.on_any_frame(payload, now, origin)
    }

    /// Takes a tick batch whose account and source were seen before: the source is the one that `on_frame`
    /// named then, the line the batch's sequence number. `None`, with nothing done, for everything else.
    #[inline]
    pub fn on_ticks(&mut self, payload: &[u8], now: Now) -> Option<Flags> {
        let place = self.streams.find(payload)?;
        self.on_stream_frame(place, payload, now, None)
    }

    fn on_any_frame(
        &mut self,
        payload: &[u8],
        now: Now,
        origin: Origin,
    ) -> Result<Flags, CoreError> {
        let Ok((header, message)) = wire::decode(payload) else {
            return Ok(self.malformed(now, origin));
        };
        if let Message::Ticks(list) = message {
            return Ok(self.on_new_stream(payload, (&header, list), now, origin));
        }
        self.on_rare_frame(&header, &message, now, origin)
    }

    /// Bytes that are no message cost a counter and nothing else; they still are an event.
    #[cold]
    pub(crate) fn malformed(&mut self, now: Now, origin: Origin) -> Flags {
        self.counters.malformed = self.counters.malformed.saturating_add(1);
        self.index = self.index.saturating_add(1);
        self.move_clock(now, origin);
        let mut flags = self.flags();
        flags.add(Flags::MALFORMED);
        flags
    }

    /// Returns the account's place: `None` for every account, an error for one that is not configured.
    pub(crate) fn target(&mut self, header: &Header<'_>) -> Result<Option<usize>, Malformed> {
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

    /// Returns the id of a publisher, a new one if needed.
    pub(crate) fn publisher(&mut self, name: &str) -> u32 {
        let known = self.publishers.lookup(name.as_bytes());
        if known != UNKNOWN || self.publishers.len() >= NAMES_MAX {
            return known;
        }
        self.publishers.intern(name)
    }

    /// Checks the sequence number; `None` lets the message pass.
    pub(crate) fn sequence(&mut self, header: &Header<'_>, target: Option<usize>) -> Option<u32> {
        let seq = header.seq?;
        let publisher = self.publisher(header.source);
        self.numbered((header.tag, target, publisher), header.epoch, seq)
    }

    /// Checks a sequence number of a tag, an account and a publisher; `None` lets the message pass.
    pub(crate) fn numbered(
        &mut self,
        (tag, target, publisher): (u8, Option<usize>, u32),
        epoch: i64,
        seq: i64,
    ) -> Option<u32> {
        let account = target.map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX));
        match self.sequences.take((tag, account, publisher), epoch, seq) {
            Verdict::Next => None,
            Verdict::Old => {
                self.counters.ignored = self.counters.ignored.saturating_add(1);
                Some(Flags::IGNORED)
            }
            Verdict::Gap if !self.is_live => None,
            Verdict::Gap if matches!(tag, 2 | 3 | 4 | 6) => {
                self.counters.holes = self.counters.holes.saturating_add(1);
                Some(Flags::HOLE)
            }
            Verdict::Gap => {
                let is_tick = u64::from(tag == 1);
                self.counters.tick_holes = self.counters.tick_holes.saturating_add(is_tick);
                None
            }
        }
    }

    fn on_rare_frame(
        &mut self,
        header: &Header<'_>,
        message: &Message<'_>,
        now: Now,
        origin: Origin,
    ) -> Result<Flags, CoreError> {
        let read = self
            .target(header)
            .and_then(|target| Ok((target, self.parts_of(message)?)));
        let Ok((target, parts)) = read else {
            return Ok(self.malformed(now, origin));
        };
        let notice = self.sequence(header, target);
        self.index = self.index.saturating_add(1);
        self.move_clock(now, origin);
        let mut result = Ok(());
        if notice != Some(Flags::IGNORED) {
            let event = Event {
                header,
                message,
                parts: &parts,
                pair: self.error_pair(header, message),
            };
            result = self.run_event(&event, target, now, origin);
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

    fn run_event(
        &mut self,
        event: &Event<'_>,
        target: Option<usize>,
        now: Now,
        origin: Origin,
    ) -> Result<(), CoreError> {
        let mut result = Ok(());
        for at in target.map_or(0..self.accounts.len(), |at| at..at.saturating_add(1)) {
            let outcome =
                self.on_account(at, now, origin, |account, ctx| account.on_event(event, ctx));
            if let Some(Err(sentence)) = outcome {
                result = Err(CoreError::config(sentence));
            }
            if let Some(account) = self.accounts.get_mut(at).filter(|one| one.has_new_symbol) {
                account.build_sessions(&self.config.feeds, &self.names);
            }
        }
        if self.is_live && matches!(event.message, Message::Account(_) | Message::Terminal(_)) {
            self.on_broker_clock(event.header.t_ns, now, origin);
        }
        self.finish_step();
        result
    }

    /// Reads what a message holds besides its own fields, and gives its symbols their ids.
    fn parts_of(&mut self, message: &Message<'_>) -> Result<Parts, Malformed> {
        let mut parts = Parts {
            symbol: UNKNOWN,
            rows: Vec::new(),
            facts: None,
        };
        match message {
            Message::Fill(fill) => parts.symbol = self.intern(fill.symbol),
            Message::Account(snapshot) => parts.rows = self.read_positions(snapshot)?,
            Message::Symbol(facts) => {
                parts.facts = Some(fact_layer(facts)?);
                parts.symbol = self.intern(facts.symbol);
            }
            Message::Ticks(_)
            | Message::Error(_)
            | Message::Heartbeat
            | Message::Transfer(_)
            | Message::Terminal(_) => {}
        }
        Ok(parts)
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
        snapshot: &wire::Account<'_>,
    ) -> Result<Vec<SnapshotPosition>, Malformed> {
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

/// What a message holds besides its own fields.
pub(crate) struct Parts {
    /// The symbol that it names.
    pub(crate) symbol: u32,
    /// Positions of a snapshot.
    pub(crate) rows: Vec<SnapshotPosition>,
    /// Facts of a symbol.
    pub(crate) facts: Option<FactLayer>,
}
