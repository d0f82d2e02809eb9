//! The world: one queue of events in virtual time, and everything that lives in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use edgeguard_core::latch_rules::Place;
use edgeguard_core::page::Code;
use edgeguard_core::trading_state::{Now, State};

use crate::broker::Broker;
use crate::check::{Check, Violation};
use crate::disk::Disk;
use crate::faults::{Fault, Plan};
use crate::gates::{Gates, Side};
use crate::guard::{Guard, Timer};
use crate::memory_page::PageRef;
use crate::network::{Order, Packet, Word};
use crate::operator::Operator;
use crate::plants::Plant;
use crate::rng::Rng;

pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000 * MS;
/// The lease of both gates.
pub const LEASE_NS: i64 = SECOND;
/// How old a snapshot may be.
pub const AGE_NS: i64 = 2 * SECOND;
/// How long the required feed may be silent.
pub const FEED_SILENCE_NS: i64 = SECOND;
/// Wednesday 25 February 2026, 12:00 UTC.
const WALL_NS: i64 = 1_772_020_800 * SECOND;
/// From the start of a calm world until everything must be open again.
const CALM_NS: i64 = 16 * SECOND;

/// What happens.
#[derive(Clone, Debug)]
pub enum Event {
    Check(Side, u32),
    Ping(u32),
    ToGate(Word),
    ToGuard(Packet),
    ToBroker(Order),
    Timer(u32, Timer),
    Written(u32, Place),
    Poll,
    ErrorMessage,
    Feed,
    FlattenEnds(String),
    Operate,
    Fault(Fault),
    Heal(Fault),
    StartGuard,
    Continue(u32),
}

/// Everything of one history.
#[derive(Debug)]
pub struct World {
    pub t: i64,
    pub rng: Rng,
    queue: BinaryHeap<Reverse<(i64, u64)>>,
    events: BTreeMap<u64, Event>,
    next: u64,
    pub plan: Plan,
    pub plant: Option<Plant>,
    pub check: Check,
    pub guard: Option<Guard>,
    /// The state of the guard while one of its turns runs.
    pub in_turn: Option<State>,
    pub pid: u32,
    pub gates: Gates,
    pub broker: Broker,
    pub operator: Operator,
    pub disk: Disk,
    pub page: Option<PageRef>,
    pub boot: u64,
    booted_at: i64,
    wall_base: i64,
    pub wall_offset: i64,
    pub remote_offset: i64,
    pub is_powered: bool,
    /// The boot on which a guard has run last.
    pub ran_on: u64,
    /// The epoch of the last run.
    pub run: i64,
    pub was_rebased: bool,
    pub day_cents: Option<i64>,
    /// True time of the last error message that was lost.
    pub hole_lost_at: i64,
    /// Actions until the guard is killed.
    pub kill_in: Option<u32>,
    pub kill_at_trip: Option<u32>,
    /// Actions of a resume until somebody sets the manual word.
    pub word_in: Option<u32>,
    pub cut_until: [i64; 4],
    pub drop_rate: i64,
    pub broker_late: i64,
    pub disk_slow: i64,
    pub disk_hung: bool,
    pub disk_failing: bool,
    pub calm_at: i64,
    ends_at: i64,
    pub fired: [u32; Fault::ALL.len()],
    pub pairs: [u64; 5],
    pub opened: [bool; 2],
    pub answered: [Option<Code>; 2],
    pub answers: u64,
    /// Times that an open gate closed.
    pub closings: u64,
    /// Gates that only their owner could open again, by a restart.
    pub stuck_gates: u64,
    pub digest: u64,
    /// What happened, in words, where somebody asked for it.
    pub story: Option<Vec<String>>,
}

/// What one history gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub violation: Option<Violation>,
    pub fired: [u32; Fault::ALL.len()],
    pub pairs: [u64; 5],
    pub virtual_ns: i64,
    pub slowest_close: i64,
    pub answers: u64,
    pub stuck_gates: u64,
    pub closings: u64,
    pub digest: u64,
}

/// Runs one history.
#[must_use]
pub fn run(seed: u64, plant: Option<Plant>) -> Outcome {
    let mut rng = Rng::new(seed);
    let plan = Plan::of(&mut rng);
    run_plan(rng, plan, plant)
}

/// Runs one history and returns its story: what a person reads who looks into a violation.
#[must_use]
pub fn story(seed: u64, plant: Option<Plant>) -> Vec<String> {
    let mut rng = Rng::new(seed);
    let plan = Plan::of(&mut rng);
    let mut world = World::new(rng, plan, plant);
    world.story = Some(Vec::new());
    world.begin();
    while world.step() {}
    world.judge_end();
    let found = world.check.found.clone();
    let mut story = world.story.unwrap_or_default();
    story.push(format!("{found:?}"));
    story
}

/// Runs a history of chosen faults.
#[must_use]
pub fn run_plan(rng: Rng, plan: Plan, plant: Option<Plant>) -> Outcome {
    let mut world = World::new(rng, plan, plant);
    world.begin();
    while world.step() {}
    world.outcome()
}

impl World {
    fn new(mut rng: Rng, plan: Plan, plant: Option<Plant>) -> Self {
        let calm_at = rng.range(6, 14) * SECOND;
        let remote_offset = rng.range(0, 100_000) * SECOND;
        // One history in four lies at the end of a trading day.
        let near_end = 10 * 3600 - rng.range(3, 20);
        let wall_base = WALL_NS
            + if rng.chance(250) {
                near_end * SECOND
            } else {
                0
            };
        let drop_rate = [20, 100, 300][rng.range(0, 3) as usize];
        Self {
            t: 0,
            rng,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            next: 0,
            plan,
            plant,
            check: Check::default(),
            guard: None,
            in_turn: None,
            pid: 0,
            gates: Gates::default(),
            broker: Broker::default(),
            operator: Operator::default(),
            disk: Disk::default(),
            page: None,
            boot: 1,
            booted_at: -100 * SECOND,
            wall_base,
            wall_offset: 0,
            remote_offset,
            is_powered: true,
            ran_on: 0,
            run: 0,
            was_rebased: wall_base != WALL_NS,
            day_cents: None,
            hole_lost_at: 0,
            kill_in: None,
            kill_at_trip: None,
            word_in: None,
            cut_until: [0; 4],
            drop_rate,
            broker_late: 0,
            disk_slow: 0,
            disk_hung: false,
            disk_failing: false,
            calm_at,
            ends_at: calm_at + CALM_NS,
            fired: [0; Fault::ALL.len()],
            pairs: [0; 5],
            opened: [false; 2],
            answered: [None; 2],
            answers: 0,
            closings: 0,
            stuck_gates: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            story: None,
        }
    }

    /// Adds a line to the story, if there is one.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>9.3} ms  {}", self.t as f64 / MS as f64, line()));
        }
    }

    fn begin(&mut self) {
        self.at(0, Event::StartGuard);
        self.start_gate(Side::Local);
        self.start_gate(Side::Remote);
        self.at(10 * MS, Event::Poll);
        self.at(30 * MS, Event::Feed);
        self.at(50 * MS, Event::ErrorMessage);
        self.at(500 * MS, Event::Operate);
        self.schedule_faults();
    }

    /// Puts an event into the future.
    pub fn at(&mut self, delay: i64, event: Event) {
        self.next += 1;
        self.events.insert(self.next, event);
        self.queue.push(Reverse((self.t + delay, self.next)));
    }

    /// The guard's host's clocks.
    pub const fn now(&self) -> Now {
        Now {
            wall_ns: self.wall_base + self.t + self.wall_offset,
            boot_ns: self.t - self.booted_at,
        }
    }

    /// The clock of the broker's host, which nobody sets.
    pub const fn broker_wall(&self) -> i64 {
        self.wall_base + self.t
    }

    /// The host comes up again.
    pub const fn boot_anew(&mut self) {
        self.boot += 1;
        self.booted_at = self.t - SECOND;
        self.is_powered = true;
    }

    fn step(&mut self) -> bool {
        let Some(Reverse((at, number))) = self.queue.pop() else {
            return false;
        };
        if at >= self.ends_at || self.check.found.is_some() {
            return false;
        }
        self.t = at;
        if let Some(event) = self.events.remove(&number) {
            if self.story.is_some()
                && matches!(
                    event,
                    Event::Fault(_) | Event::Heal(_) | Event::StartGuard | Event::Continue(_)
                )
            {
                self.tell(|| format!("{event:?}"));
            }
            self.dispatch(event);
        }
        true
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Check(side, life) => self.on_check(side, life),
            Event::Ping(life) => self.on_ping_due(life),
            Event::ToGate(word) => self.on_word(word),
            Event::ToGuard(packet) => self.guard_hears(packet),
            Event::ToBroker(order) => self.broker_hears(order),
            Event::Timer(pid, timer) => self.guard_timer(pid, timer),
            Event::Written(pid, place) => self.guard_written(pid, place),
            Event::Poll => self.broker_polls(),
            Event::ErrorMessage => self.engine_errs(),
            Event::Feed => self.feed_speaks(),
            Event::FlattenEnds(halt_id) => self.flatten_ends(&halt_id),
            Event::Operate => self.operate(),
            Event::Fault(fault) => self.strike(fault),
            Event::Heal(fault) => self.heal(fault),
            Event::StartGuard => self.start_guard(),
            Event::Continue(pid) => self.guard_continues(pid),
        }
    }

    fn outcome(mut self) -> Outcome {
        if self.check.found.is_none() {
            self.judge_end();
        }
        Outcome {
            violation: self.check.found,
            fired: self.fired,
            pairs: self.pairs,
            virtual_ns: self.t,
            slowest_close: self.check.slowest_close,
            answers: self.answers,
            closings: self.closings,
            stuck_gates: self.stuck_gates,
            digest: self.digest,
        }
    }
}
