//! Everything one account knows of one symbol, the part that every tick touches in two cache lines.

use std::sync::Arc;

use crate::book::Sums;
use crate::config::{Limits, SymbolConfig};
use crate::deadline::Timer;
use crate::facts::{FactLayer, Facts};
use crate::session::{Rule, Session};
use crate::triggers::normal::NormalFacts;
use crate::triggers::price_anomaly::SpreadWatch;
use crate::triggers::price_input::Quote;
use crate::types::Status;

/// Publishers whose stamps are kept apart; later ones share the last place.
pub const PUBLISHERS: usize = 4;

/// Reasons why a tick of a symbol needs more than the short way.
pub mod need {
    /// No digits, or no accepted tick yet.
    pub const FIRST: u16 = 1;
    /// A suspect waits.
    pub const SUSPECT: u16 = 2;
    /// A spread pause is in force, or anomalous ticks are being counted.
    pub const SPREAD: u16 = 4;
    /// `PRICE_STALE` is in force.
    pub const STALE: u16 = 8;
    /// It converts a currency.
    pub const LEG: u16 = 16;
    /// It has positions whose change is converted.
    pub const CONVERT: u16 = 32;
    /// It has positions whose change is exact: still the short way.
    pub const EXPOSED: u16 = 64;
}

/// What every tick reads and writes.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Hot {
    /// Bid of the last accepted quote in points; 0 before the first.
    pub bid: i64,
    /// Ask of the last accepted quote in points.
    pub ask: i64,
    /// Stamp of the last valid tick of the publisher in `publisher`.
    pub stamp: i64,
    /// Largest spread that is not anomalous.
    pub anomalous_above: i64,
    /// Boot time from which the spread needs a closer look: a sample is due or the normal may change.
    pub slow_from: i64,
    /// 10^digits; NaN without digits.
    pub scale: f64,
    /// Bits of `need`.
    pub needs: u16,
    /// Whose stamp stands in `stamp`.
    pub publisher: u8,
    /// Decimals of a price.
    pub digits: u8,
    /// Number of the snapshot after which a tick was accepted.
    pub ticked: u32,
    /// Boot time of the last accepted tick or snapshot price; `i64::MIN` before any.
    pub priced_at: i64,
    /// Sums of its positions.
    pub sums: Sums,
    /// Converted change since the snapshot, in fine units.
    pub part: i128,
    /// Fine units per volume unit and point, where that is exact and small enough.
    pub unit: i64,
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            bid: 0,
            ask: 0,
            stamp: i64::MIN,
            anomalous_above: i64::MAX,
            slow_from: i64::MIN,
            scale: f64::NAN,
            needs: need::FIRST,
            digits: 0,
            publisher: 0,
            ticked: 0,
            priced_at: i64::MIN,
            sums: Sums::default(),
            part: 0,
            unit: 0,
        }
    }
}

impl Hot {
    /// Returns the last accepted quote.
    #[inline]
    pub const fn accepted(&self) -> Option<Quote> {
        if self.bid == 0 {
            None
        } else {
            Some(Quote {
                bid: self.bid,
                ask: self.ask,
            })
        }
    }
}

/// Everything one account knows of one symbol.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// What every tick touches.
    pub hot: Hot,
    /// Facts of the file.
    pub file: Box<FactLayer>,
    /// Facts of the terminal or of a tape.
    pub terminal: Box<FactLayer>,
    /// The facts in use; `None` without digits.
    pub facts: Option<Facts>,
    /// When it trades.
    pub session: Session,
    /// The session's rule, for unions.
    pub rule: Arc<Rule>,
    /// Latest suspect.
    pub suspect: Option<Quote>,
    /// Stamps of the last valid tick by publisher.
    pub stamps: [i64; PUBLISHERS],
    /// The spread and its normal.
    pub spread: SpreadWatch,
    /// Number of its profit currency.
    pub currency: usize,
    /// Currencies whose route leads over this symbol.
    pub leg_of: Vec<usize>,
    /// The change is not zero and no route leads to the account currency.
    pub is_missing: bool,
    /// `PRICE_STALE` is in force.
    pub is_stale: bool,
    /// Deadline of the price's age.
    pub stale: Timer,
    /// Deadline of a suspect.
    pub jump: Timer,
    /// Boot time of the last valid tick of the terminal itself (live).
    pub terminal_tick_at: i64,
    /// Bad ticks by cause.
    pub bad: [u64; 5],
}

impl Symbol {
    /// Builds a symbol of the configuration, or one that only a terminal or a tape knows.
    pub fn new(config: Option<&SymbolConfig>, limits: &Limits) -> Self {
        let rule = config.map_or_else(
            || Arc::new(Rule::always()),
            |symbol| Arc::clone(&symbol.session),
        );
        let normal = NormalFacts {
            configured: config.and_then(|symbol| symbol.normal_points),
            floor: config.map_or(1, |symbol| symbol.floor_points),
            profile: Vec::new(),
        };
        Self {
            hot: Hot::default(),
            file: Box::new(
                config
                    .map(|symbol| symbol.facts.clone())
                    .unwrap_or_default(),
            ),
            terminal: Box::default(),
            facts: None,
            session: Session::union(vec![Arc::clone(&rule)]),
            rule,
            suspect: None,
            stamps: [i64::MIN; PUBLISHERS],
            spread: SpreadWatch::new(normal, limits),
            currency: usize::MAX,
            leg_of: Vec::new(),
            is_missing: false,
            is_stale: false,
            stale: Timer::default(),
            jump: Timer::default(),
            terminal_tick_at: i64::MIN,
            bad: [0; 5],
        }
    }

    /// Puts the stamp of a publisher in its place.
    pub fn switch_publisher(&mut self, publisher: u8) {
        if self.hot.publisher == publisher {
            return;
        }
        if let Some(slot) = self.stamps.get_mut(usize::from(self.hot.publisher)) {
            *slot = self.hot.stamp;
        }
        self.hot.stamp = self
            .stamps
            .get(usize::from(publisher))
            .copied()
            .unwrap_or(i64::MIN);
        self.hot.publisher = publisher;
    }

    /// Brings what the short way reads in line with everything else.
    pub fn refresh(&mut self, is_exact: bool) {
        let bit = |is_on: bool, bit: u16| if is_on { bit } else { 0 };
        let is_exposed = !self.hot.sums.is_empty();
        self.hot.needs = bit(self.facts.is_none() || self.hot.bid == 0, need::FIRST)
            | bit(self.suspect.is_some(), need::SUSPECT)
            | bit(
                self.spread.status() != Status::Clear || self.spread.is_counting(),
                need::SPREAD,
            )
            | bit(self.is_stale, need::STALE)
            | bit(!self.leg_of.is_empty(), need::LEG)
            | bit(is_exposed && !is_exact, need::CONVERT)
            | bit(is_exposed && is_exact, need::EXPOSED);
        self.hot.anomalous_above = self.spread.anomalous_above();
        self.hot.slow_from = self.spread.slow_from();
    }
}
