//! The engine: one clock, one numbering of events, and the order of decisions.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::calendar::{WeekBuckets, Zone};
use crate::config::Config;
use crate::context::Context;
use crate::deadline::NEVER;
use crate::decision::{Decision, Finding, Frame};
use crate::error::CoreError;
use crate::names::Names;
use crate::sequence::Sequences;
use crate::streams::Streams;
use crate::tick_merge::TickFiles;
use crate::ticks::{ExactQuote, TickRow};
use crate::types::{Now, Origin};
use crate::wall::{WallEvent, WallWatch};

/// What a call tells its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Decisions wait to be taken.
    pub const DECISIONS: u32 = 1;
    /// A fresh read of an account is wanted.
    pub const FRESH_READ: u32 = 2;
    /// The bytes are no message.
    pub const MALFORMED: u32 = 4;
    /// A hole in account, fills or errors (live).
    pub const HOLE: u32 = 8;
    /// A repeated or lower sequence number: ignored.
    pub const IGNORED: u32 = 16;

    /// Adds bits.
    pub const fn add(&mut self, bits: u32) {
        self.0 |= bits;
    }

    /// Returns whether any of the bits is set.
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

/// Counters of what the engine met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Payloads that are no message.
    pub malformed: u64,
    /// Messages of accounts that are not configured.
    pub unknown_account: u64,
    /// Repeated or lower sequence numbers.
    pub ignored: u64,
    /// Holes in account, fills or errors.
    pub holes: u64,
    /// Missing tick batches.
    pub tick_holes: u64,
    /// Ticks taken.
    pub ticks: u64,
}

/// All accounts and the clock that they share.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) config_hash: String,
    pub(crate) is_live: bool,
    pub(crate) accounts: Vec<Account>,
    pub(crate) names: Names,
    pub(crate) publishers: Names,
    pub(crate) sequences: Sequences,
    pub(crate) streams: Streams,
    pub(crate) weeks: WeekBuckets,
    pub(crate) sources: Vec<String>,
    pub(crate) index: u64,
    pub(crate) now: Now,
    pub(crate) is_started: bool,
    pub(crate) next_due: i64,
    pub(crate) findings: Vec<Finding>,
    pub(crate) step_decisions: Vec<Decision>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) rows: Vec<TickRow>,
    pub(crate) exact: Vec<ExactQuote>,
    pub(crate) tick_publishers: Vec<u32>,
    pub(crate) fresh_read: bool,
    pub(crate) counters: Counters,
    pub(crate) files: TickFiles,
    pub(crate) wall: WallWatch,
    pub(crate) bad_by_publisher: BTreeMap<u32, u64>,
    pub(crate) stored: Option<crate::references::File>,
}

impl Engine {
    /// Builds the engine from the model's JSON; profiles are the learned spreads by symbol.
    ///
    /// # Errors
    /// `CoreError::Config` with every fault of the configuration or a profile.
    pub fn new(
        config_json: &[u8],
        config_hash: &str,
        is_live: bool,
        profiles: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, CoreError> {
        let config = Config::from_json(config_json)?;
        let mut names = Names::default();
        for symbol in &config.symbols {
            names.intern(&symbol.name);
        }
        let new_york = Zone::named("America/New_York").unwrap_or(Zone::utc());
        let mut engine = Self {
            accounts: Vec::new(),
            config_hash: config_hash.to_string(),
            is_live,
            names,
            publishers: Names::default(),
            sequences: Sequences::default(),
            streams: Streams::default(),
            weeks: WeekBuckets::new(new_york),
            sources: Vec::new(),
            index: 0,
            now: Now::default(),
            is_started: false,
            next_due: NEVER,
            findings: Vec::with_capacity(16),
            step_decisions: Vec::with_capacity(16),
            decisions: Vec::with_capacity(64),
            rows: Vec::with_capacity(1024),
            exact: Vec::with_capacity(1024),
            tick_publishers: Vec::new(),
            fresh_read: false,
            counters: Counters::default(),
            files: TickFiles::default(),
            wall: WallWatch::default(),
            bad_by_publisher: BTreeMap::new(),
            stored: None,
            config,
        };
        for account in engine.config.accounts.clone() {
            let account = Account::new(account, &engine.config, &engine.names, is_live);
            engine.accounts.push(account);
        }
        engine.load_profiles(profiles)?;
        Ok(engine)
    }

    fn load_profiles(&mut self, profiles: &BTreeMap<String, Vec<u8>>) -> Result<(), CoreError> {
        for (name, data) in profiles {
            let buckets = crate::profile::parse(name, data)?;
            let id = self.names.lookup(name.as_bytes());
            for account in &mut self.accounts {
                if let Some(symbol) = account.symbol_mut(id) {
                    symbol.spread.set_profile(buckets.clone());
                }
            }
        }
        Ok(())
    }

    /// Registers the name of a source and returns its id.
    pub fn register_source(&mut self, name: &str) -> u32 {
        if let Some(at) = self.sources.iter().position(|one| one == name) {
            return u32::try_from(at).unwrap_or(u32::MAX);
        }
        self.sources.push(name.to_string());
        u32::try_from(self.sources.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Takes the decisions that wait, oldest first.
    pub fn take_decisions(&mut self) -> Vec<Decision> {
        core::mem::take(&mut self.decisions)
    }

    /// Returns marked equity in units of 1e-20, before any rounding; `None` before the first snapshot.
    pub fn marked_fine(&self, account: &str) -> Option<i128> {
        let found = self.accounts.iter().find(|one| one.config.id == account)?;
        (found.equity.snapshots > 0).then(|| found.marked())
    }

    /// Returns the hash that every line carries.
    pub fn config_hash(&self) -> &str {
        &self.config_hash
    }

    /// Returns the boot time of the earliest deadline; the true one may be later.
    pub fn next_deadline_ns(&self) -> Option<i64> {
        let next = self
            .accounts
            .iter()
            .map(|account| account.queue.next())
            .min()
            .unwrap_or(NEVER);
        (next != NEVER).then_some(next)
    }

    /// Lists the sources of the tick streams, each with the boot time of its last batch.
    pub fn heard(&self) -> Vec<(u32, i64)> {
        self.streams.heard().collect()
    }

    /// Moves the clock: runs every deadline that is due. With `counts` the call is an event of its own.
    pub fn advance(&mut self, now: Now, origin: Origin, counts: bool) -> Flags {
        if counts {
            self.index = self.index.saturating_add(1);
        }
        self.move_clock(now, origin);
        self.flags()
    }

    /// Prepares the accounts at the first event, then runs what is due.
    #[inline]
    pub(crate) fn move_clock(&mut self, now: Now, origin: Origin) {
        if !self.is_started {
            self.start(now);
        }
        if self.is_live && self.wall.look(now) == WallEvent::Moved {
            self.on_wall_moved(now);
        }
        if now.boot_ns >= self.next_due {
            self.run_deadlines(now, origin);
        }
        self.now = now;
    }

    #[cold]
    fn start(&mut self, now: Now) {
        self.is_started = true;
        self.now = now;
        self.apply_stored(now);
        for account in &mut self.accounts {
            account.start(now);
        }
        self.refresh_due();
    }

    #[cold]
    fn on_wall_moved(&mut self, now: Now) {
        let is_doubted = self.wall.is_doubted();
        for account in &mut self.accounts {
            account.on_wall_moved(now, is_doubted);
        }
        self.refresh_due();
    }

    /// Live, a message of the broker tells its clock.
    pub(crate) fn on_broker_clock(&mut self, broker_ns: i64, now: Now, origin: Origin) {
        if self.wall.agree(broker_ns, now) {
            for at in 0..self.accounts.len() {
                self.on_account(at, now, origin, Account::on_wall_trusted);
            }
        }
    }

    /// Deadlines run in time order; all that fall due at one instant are one step.
    #[cold]
    fn run_deadlines(&mut self, now: Now, origin: Origin) {
        loop {
            let due = self
                .accounts
                .iter()
                .map(|account| account.queue.next())
                .min()
                .unwrap_or(NEVER);
            if due > now.boot_ns {
                self.next_due = due;
                return;
            }
            let step = Now {
                wall_ns: now.wall_at(due),
                boot_ns: due,
            };
            for at in 0..self.accounts.len() {
                self.on_account(at, step, origin, |account, ctx| {
                    account.run_due(ctx);
                });
            }
            self.finish_step();
        }
    }

    /// Lets one account work, judges it, and turns its findings into decisions of this step.
    #[inline]
    pub(crate) fn on_account<T>(
        &mut self,
        at: usize,
        now: Now,
        origin: Origin,
        work: impl FnOnce(&mut Account, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let account = self.accounts.get_mut(at)?;
        let mut ctx = Context {
            now,
            names: &self.names,
            out: &mut self.findings,
            fresh_read: &mut self.fresh_read,
        };
        account.bucket.move_to(now, &self.weeks);
        let result = work(account, &mut ctx);
        if account.step.is_dirty {
            account.settle(&mut ctx);
        }
        if !self.findings.is_empty() {
            self.collect(at, now, origin);
        }
        Some(result)
    }

    #[cold]
    fn collect(&mut self, at: usize, now: Now, origin: Origin) {
        let account_id = self
            .accounts
            .get(at)
            .map_or("", |account| account.config.id.as_str());
        let place = usize::try_from(origin.source).unwrap_or(usize::MAX);
        let frame = Frame {
            index: self.index,
            now,
            account: at,
            account_id,
            source_file: self.sources.get(place).map_or("", String::as_str),
            origin,
        };
        for finding in self.findings.drain(..) {
            self.step_decisions.push(finding.into_decision(&frame));
        }
    }

    /// Ends a step: its lines are put in order.
    #[inline]
    pub(crate) fn finish_step(&mut self) {
        if !self.step_decisions.is_empty() {
            self.order_step();
        }
    }

    #[cold]
    fn order_step(&mut self) {
        self.step_decisions
            .sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        self.decisions.append(&mut self.step_decisions);
    }

    /// Notes the earliest deadline after work that may have set one.
    #[inline]
    pub(crate) fn refresh_due(&mut self) {
        self.next_due = self
            .accounts
            .iter()
            .map(|account| account.queue.next())
            .min()
            .unwrap_or(NEVER);
    }

    /// Returns the flags of a call and forgets the wish for a fresh read.
    #[inline]
    pub(crate) fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        if !self.decisions.is_empty() {
            flags.add(Flags::DECISIONS);
        }
        if core::mem::take(&mut self.fresh_read) {
            flags.add(Flags::FRESH_READ);
        }
        flags
    }
}
