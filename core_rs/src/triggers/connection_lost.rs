//! Connection lost: a source without proof for too long halts.

use crate::config::Limits;
use crate::context::Context;
use crate::deadline::{Due, Queue, Timer};
use crate::decision::{Finding, seconds_text};
use crate::session::Session;
use crate::types::{Action, Code, Now, Status, Trigger};

/// How often a quiet feed is held against the terminal's quotes.
const LOOK_AGAIN_NS: i64 = 1_000_000_000;

/// One source of one account.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    session: Session,
    armed: bool,
    /// From when its silence counts as a lost connection: its last word, or the resume after that.
    last_proof: i64,
    last_word: i64,
    status: Status,
    timer: Timer,
    suspended_until: i64,
    may_be_quiet: bool,
    symbols: Vec<u32>,
}

impl Source {
    /// Starts silent and unarmed: a source that never spoke is never lost.
    pub fn new(name: String, session: Session) -> Self {
        Self {
            name,
            session,
            armed: false,
            last_proof: 0,
            last_word: 0,
            status: Status::Clear,
            timer: Timer::default(),
            suspended_until: i64::MIN,
            may_be_quiet: false,
            symbols: Vec::new(),
        }
    }

    /// Makes it a feed without heartbeats: its silence counts only against what else is known of its
    /// symbols (none: of all symbols).
    pub fn allow_quiet(&mut self, symbols: Vec<u32>) {
        self.may_be_quiet = true;
        self.symbols = symbols;
    }

    /// Returns whether silence alone does not prove that it is lost.
    pub const fn may_be_quiet(&self) -> bool {
        self.may_be_quiet
    }

    /// Returns whether it quotes a symbol.
    pub fn quotes(&self, symbol: u32) -> bool {
        self.symbols.is_empty() || self.symbols.contains(&symbol)
    }

    /// Looks again a little later: it may only be quiet.
    pub fn look_again(&mut self, number: u32, now: Now, queue: &mut Queue) {
        let due = now.boot_ns.saturating_add(LOOK_AGAIN_NS);
        self.timer.set(queue, Due::Connection(number), due);
    }

    /// Returns the name that lines print.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the state.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Returns whether the source has spoken.
    pub const fn is_armed(&self) -> bool {
        self.armed
    }

    /// Returns the boot time of the last proof, or of the arming without one.
    pub const fn last_proof(&self) -> i64 {
        self.last_proof
    }

    /// Returns the deadline.
    pub const fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }

    /// Replaces the session: a symbol was added.
    pub fn set_session(&mut self, session: Session) {
        self.session = session;
    }

    /// Clears a halt; the silence counts anew.
    pub fn clear(&mut self, number: u32, now: Now, limits: &Limits, queue: &mut Queue) {
        if self.status == Status::Halted {
            self.status = Status::Clear;
            if self.armed {
                self.count_from(number, now, limits, queue);
            }
        }
    }

    /// Suspends the deadline until a boot time, or ends that: planned work on that source.
    pub fn suspend(&mut self, until: Option<i64>, number: u32, now: Now, queue: &mut Queue) {
        self.suspended_until = until.unwrap_or(i64::MIN);
        if self.armed && self.status != Status::Halted {
            let soon = now.boot_ns.saturating_add(1);
            self.timer.set(queue, Due::Connection(number), soon);
        }
    }

    /// Returns whether its silence counts now: no planned work is announced.
    pub const fn is_due(&self, now: Now) -> bool {
        now.boot_ns >= self.suspended_until
    }

    /// The source speaks without proof: it is armed, and its silence counts from its first word.
    pub fn arm(&mut self, number: u32, now: Now, limits: &Limits, queue: &mut Queue) {
        if !self.armed {
            self.prove(number, now, limits, queue);
        }
    }

    /// The source gave proof.
    #[inline]
    pub fn prove(&mut self, number: u32, now: Now, limits: &Limits, queue: &mut Queue) {
        self.armed = true;
        self.last_word = now.boot_ns;
        self.count_from(number, now, limits, queue);
    }

    fn count_from(&mut self, number: u32, now: Now, limits: &Limits, queue: &mut Queue) {
        self.last_proof = now.boot_ns;
        if self.status == Status::Halted {
            return;
        }
        // Open time passes at most as fast as time: the true deadline is not earlier.
        let due = now
            .boot_ns
            .saturating_add(limits.connection_lost_ns)
            .saturating_add(1);
        self.timer.set(queue, Due::Connection(number), due);
    }

    /// The time without closed hours has passed, or the deadline moves on.
    pub fn on_deadline(
        &mut self,
        number: u32,
        limits: &Limits,
        queue: &mut Queue,
        ctx: &mut Context<'_>,
    ) {
        if self.status == Status::Halted || !self.armed {
            return;
        }
        let now = ctx.now;
        let from = now.wall_at(self.last_proof);
        let wanted = limits.connection_lost_ns.saturating_add(1);
        let due = now
            .boot_at(self.session.after_open(from, wanted))
            .max(self.suspended_until);
        if due > now.boot_ns {
            self.timer.set(queue, Due::Connection(number), due);
            return;
        }
        self.status = Status::Halted;
        let silence = self.silence(now);
        ctx.out.push(Finding {
            value: Some(seconds_text(silence)),
            threshold: Some(limits.connection_lost.text.clone()),
            reference: Some(self.name.clone()),
            ..Finding::new(Trigger::ConnectionLost, Action::Halt, Code::ConnectionLost)
        });
    }

    /// Returns for how long it has not spoken, without closed hours. No resume makes a source speak: unlike
    /// the deadline this goes on through one.
    pub fn silence_of_words(&mut self, now: Now) -> i64 {
        self.session
            .open_between(now.wall_at(self.last_word), now.wall_ns)
    }

    /// Returns the silence that counts as a lost connection, without closed hours.
    pub fn silence(&mut self, now: Now) -> i64 {
        self.session
            .open_between(now.wall_at(self.last_proof), now.wall_ns)
    }
}
