//! One account: its state, and the order of work when deadlines fall due.

use std::sync::Arc;

use crate::book::Book;
use crate::config::{AccountConfig, Config, FeedConfig};
use crate::context::Context;
use crate::convert::Route;
use crate::day::{Day, Peak};
use crate::deadline::{Due, Entry, Queue, Timer};
use crate::names::Names;
use crate::scope::Scope;
use crate::session::Session;
use crate::symbol::Symbol;
use crate::triggers::connection_lost::Source;
use crate::triggers::error_rate::ErrorRate;
use crate::triggers::loss::LossTrigger;
use crate::triggers::normal::Bucket;
use crate::triggers::price_input::JumpLimit;
use crate::types::Now;

/// A profit currency and its way to the account's.
#[derive(Clone, Debug)]
pub struct Currency {
    /// Name.
    pub name: String,
    /// The way.
    pub route: Route,
    /// Symbols with positions whose profit is in it.
    pub users: Vec<u32>,
}

/// The sums of the equity model, in fine units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Equity {
    /// Number of valid snapshots so far; 0 before the first.
    pub snapshots: u32,
    /// Equity of the last valid snapshot.
    pub reported: i128,
    /// The same with the effect of fills and transfers after it.
    pub anchor: i128,
    /// Balance with fills and transfers.
    pub balance: i128,
    /// Sum of the symbols' converted changes.
    pub floating: i128,
    /// Symbols whose change cannot be converted.
    pub missing: u32,
    /// Positions of symbols without facts.
    pub unmarkable: u32,
    /// Last deal that the snapshot contains.
    pub last_deal: Option<i64>,
    /// Boot time of the last valid snapshot.
    pub at: i64,
}

/// What the step so far has changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// The loss limits must be judged.
    pub is_dirty: bool,
    /// A valid snapshot arrived.
    pub is_snapshot: bool,
    /// It answers an earlier breach.
    pub is_fresh: bool,
}

/// One account.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, printed on its own"
)]
pub struct Account {
    /// Its configuration.
    pub config: AccountConfig,
    /// Its symbols by id.
    pub symbols: Vec<Symbol>,
    /// Its positions.
    pub book: Book,
    /// Symbols with positions.
    pub exposed: Vec<u32>,
    /// Profit currencies.
    pub currencies: Vec<Currency>,
    /// The equity model.
    pub equity: Equity,
    /// The day's reference.
    pub day: Day,
    /// The peak.
    pub peak: Peak,
    /// Daily loss, total drawdown, then the scopes.
    pub losses: Vec<LossTrigger>,
    /// Strategies and symbols with limits of their own.
    pub scopes: Vec<Scope>,
    /// Errors.
    pub errors: ErrorRate,
    /// Sources by name.
    pub sources: Vec<Source>,
    /// Feeds whose loss does not matter.
    pub optional_feeds: Vec<String>,
    /// `EQUITY_UNTRUSTED` is in force.
    pub is_untrusted: bool,
    /// `DAY_START_UNKNOWN` is in force.
    pub is_day_unknown: bool,
    /// The reference must be given: it belongs to a day that ended while nobody watched.
    pub must_be_told: bool,
    /// A symbol became known: the sessions of the sources must be built anew.
    pub has_new_symbol: bool,
    /// Live: the wall has jumped and is not trusted yet.
    pub wall_is_doubted: bool,
    /// Wall time of the last day's start that ran; an earlier one never runs again.
    pub last_rollover: i64,
    /// The day before a rollover under a clock that has just jumped; the stricter of both stands.
    pub earlier_day: Option<Day>,
    /// Symbols with `PRICE_STALE` in force.
    pub stale_count: u32,
    /// Deals seen.
    pub seen: crate::fills::SeenDeals,
    /// Deadlines.
    pub queue: Queue,
    /// Entries of the step that runs; kept for its room.
    pub due_now: Vec<Entry>,
    /// Deadline of the day.
    pub rollover: Timer,
    /// Wall time of the next day's start.
    pub rollover_wall: i64,
    /// The present quarter hour of the New York week.
    pub bucket: Bucket,
    /// Ticks of unknown symbols.
    pub unknown_ticks: u64,
    /// The largest jump.
    pub jump_limit: JumpLimit,
    /// The floating change between these bounds, exclusive, changes nothing: in fine units.
    pub inert: (i128, i128),
    /// What this step has changed.
    pub step: Step,
    /// Live: an engine beside real terminals; otherwise a replay.
    pub is_live: bool,
}

impl Account {
    /// Builds the account with every configured symbol.
    pub fn new(config: AccountConfig, all: &Config, names: &Names, is_live: bool) -> Self {
        let limits = &config.limits;
        let (losses, scopes) = crate::scope::build(&config, all, names);
        let mut account = Self {
            day: Day::default(),
            peak: Peak::default(),
            losses,
            scopes,
            errors: ErrorRate::new(limits),
            sources: Vec::new(),
            optional_feeds: Vec::new(),
            jump_limit: JumpLimit::new(limits.jump_frac),
            symbols: Vec::new(),
            book: Book::default(),
            exposed: Vec::new(),
            currencies: Vec::new(),
            equity: Equity::default(),
            is_untrusted: false,
            is_day_unknown: false,
            must_be_told: false,
            has_new_symbol: false,
            wall_is_doubted: false,
            last_rollover: i64::MIN,
            earlier_day: None,
            stale_count: 0,
            seen: crate::fills::SeenDeals::default(),
            queue: Queue::with_capacity(256),
            due_now: Vec::with_capacity(64),
            rollover: Timer::default(),
            rollover_wall: 0,
            bucket: Bucket::default(),
            unknown_ticks: 0,
            inert: (i128::MAX, i128::MIN),
            step: Step::default(),
            is_live,
            config,
        };
        for symbol in &all.symbols {
            account
                .symbols
                .push(Symbol::new(Some(symbol), &account.config.limits));
        }
        account.resolve_all(names);
        account.build_sources(&all.feeds, names);
        account
    }

    /// Adds a symbol that only a terminal or a tape knows, up to an id.
    pub fn ensure_symbols(&mut self, count: usize) {
        while self.symbols.len() < count {
            self.symbols.push(Symbol::new(None, &self.config.limits));
        }
    }

    /// Returns a symbol.
    #[inline]
    pub fn symbol(&self, id: u32) -> Option<&Symbol> {
        usize::try_from(id).ok().and_then(|at| self.symbols.get(at))
    }

    /// Returns a symbol to change it.
    #[inline]
    pub fn symbol_mut(&mut self, id: u32) -> Option<&mut Symbol> {
        usize::try_from(id)
            .ok()
            .and_then(|at| self.symbols.get_mut(at))
    }

    /// The sources that the configuration names: the terminal, the engine and every required feed.
    fn build_sources(&mut self, feeds: &[FeedConfig], names: &Names) {
        self.sources = vec![
            Source::new("engine".into(), Session::default()),
            Source::new("terminal".into(), Session::default()),
        ];
        let id = &self.config.id;
        for feed in feeds
            .iter()
            .filter(|feed| feed.account.is_empty() || feed.account == *id)
        {
            let name = format!("feed:{}", feed.name);
            if !feed.required {
                self.optional_feeds.push(name);
                continue;
            }
            let mut source = Source::new(name, Session::default());
            if self.is_live && !feed.heartbeat {
                let ids = feed
                    .symbols
                    .iter()
                    .map(|name| names.lookup(name.as_bytes()));
                source.allow_quiet(ids.collect());
            }
            self.sources.push(source);
        }
        self.build_sessions(feeds, names);
    }

    /// Gives each feed the union of its own symbols' sessions, and the terminal that of all.
    pub fn build_sessions(&mut self, feeds: &[FeedConfig], names: &Names) {
        self.has_new_symbol = false;
        let rules_of = |wanted: &[String]| {
            let mut rules = Vec::new();
            for (at, symbol) in self.symbols.iter().enumerate() {
                let name = u32::try_from(at).map_or("", |id| names.name(id));
                let is_wanted = wanted.is_empty() || wanted.iter().any(|one| one == name);
                if is_wanted && symbol.facts.is_some() {
                    rules.push(Arc::clone(&symbol.rule));
                }
            }
            Session::union(rules)
        };
        let terminal = rules_of(&[]);
        let own: Vec<(String, Session)> = feeds
            .iter()
            .map(|feed| (format!("feed:{}", feed.name), rules_of(&feed.symbols)))
            .chain([("terminal".to_string(), terminal)])
            .collect();
        for (name, session) in own {
            if let Some(source) = self.sources.iter_mut().find(|source| source.name() == name) {
                source.set_session(session);
            }
        }
    }

    /// Prepares the calendar at the very first event.
    pub fn start(&mut self, now: Now) {
        self.schedule_rollover(now);
    }

    /// Sets the deadline of the next day's start.
    pub fn schedule_rollover(&mut self, now: Now) {
        let limits = &self.config.limits;
        let after = now.wall_ns.max(self.last_rollover);
        self.rollover_wall = limits
            .rollover_zone
            .next_day_start(after, limits.rollover_time);
        let due = now.boot_at(self.rollover_wall);
        self.rollover.set(&mut self.queue, Due::Rollover, due);
    }

    /// Runs everything that is due at one instant; the caller has stepped to the earliest. What this work
    /// makes due at the same instant is a step of its own.
    pub fn run_due(&mut self, ctx: &mut Context<'_>) {
        let mut entries = core::mem::take(&mut self.due_now);
        entries.clear();
        while let Some(entry) = self.queue.pop(ctx.now.boot_ns) {
            entries.push(entry);
        }
        for entry in &entries {
            let now = ctx.now.boot_ns;
            let timer = Self::timer_of(
                (&mut self.rollover, &mut self.errors),
                &mut self.symbols,
                &mut self.losses,
                &mut self.sources,
                entry.key,
            );
            if timer.is_some_and(|timer| timer.fires(&mut self.queue, *entry, now)) {
                self.fire(entry.key, ctx);
                if let Due::SpreadHold(symbol) | Due::Jump(symbol) | Due::Stale(symbol) = entry.key
                {
                    self.refresh(symbol);
                }
            }
        }
        self.due_now = entries;
    }

    fn timer_of<'t>(
        (rollover, errors): (&'t mut Timer, &'t mut ErrorRate),
        symbols: &'t mut [Symbol],
        losses: &'t mut [LossTrigger],
        sources: &'t mut [Source],
        key: Due,
    ) -> Option<&'t mut Timer> {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        match key {
            Due::Rollover => Some(rollover),
            Due::ErrorRelease => Some(errors.timer()),
            Due::SpreadHold(symbol) => symbols
                .get_mut(place(symbol))
                .map(|symbol| symbol.spread.timer()),
            Due::Jump(symbol) => symbols
                .get_mut(place(symbol))
                .map(|symbol| &mut symbol.jump),
            Due::Stale(symbol) => symbols
                .get_mut(place(symbol))
                .map(|symbol| &mut symbol.stale),
            Due::Confirm(number) => losses.get_mut(place(number)).map(LossTrigger::timer),
            Due::Connection(number) => sources.get_mut(place(number)).map(Source::timer),
        }
    }

    fn fire(&mut self, key: Due, ctx: &mut Context<'_>) {
        match key {
            Due::Rollover => self.on_rollover(ctx),
            Due::ErrorRelease => self
                .errors
                .on_deadline(&self.config.limits, &mut self.queue, ctx),
            Due::SpreadHold(symbol) => self.on_spread_hold(symbol, ctx),
            Due::Jump(symbol) => self.on_jump_deadline(symbol, ctx),
            Due::Stale(symbol) => self.on_stale_deadline(symbol, ctx),
            Due::Confirm(number) => {
                if let Some(loss) = usize::try_from(number)
                    .ok()
                    .and_then(|at| self.losses.get_mut(at))
                {
                    loss.on_deadline();
                    self.step.is_dirty = true;
                }
            }
            Due::Connection(number) => {
                let place = usize::try_from(number).unwrap_or(usize::MAX);
                let is_quiet = self.is_live && self.is_only_quiet(number, ctx.now);
                if let (true, Some(source)) = (is_quiet, self.sources.get_mut(place)) {
                    source.look_again(number, ctx.now, &mut self.queue);
                } else if let Some(source) = self.sources.get_mut(place) {
                    source.on_deadline(number, &self.config.limits, &mut self.queue, ctx);
                }
            }
        }
    }
}
