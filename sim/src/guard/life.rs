//! A guard's life: start in the order of D8, stops with and without its own will, death.

use edgeguard_core::page::StateWord;
use edgeguard_core::trading_state::State;

use super::{Guard, Timer, Turn};
use crate::faults::Fault;
use crate::gates::Side;
use crate::plants::Plant;
use crate::world::{Event, MS, SECOND, World};

impl Timer {
    pub(super) const ALL: [Self; 5] = [
        Self::Step,
        Self::Look,
        Self::Beat,
        Self::Second,
        Self::References,
    ];

    pub(super) const fn every(self) -> i64 {
        match self {
            Self::Step => 20 * MS,
            Self::Look => 50 * MS,
            Self::Beat => 100 * MS,
            Self::Second | Self::References => SECOND,
        }
    }
}

impl World {
    /// The supervisor, or a host that comes up, starts the guard.
    pub fn start_guard(&mut self) {
        if self.guard.is_some() {
            return;
        }
        if !self.is_powered {
            self.boot_anew();
            self.kill_gate(Side::Local);
        }
        self.pid += 1;
        let (mut guard, verdict) = self.assemble();
        let pid = guard.pid;
        self.in_turn = Some(State::Starting);
        let turn = self.begin_run(&mut guard, &verdict);
        self.in_turn = None;
        self.keep(guard, turn);
        for timer in Timer::ALL {
            // The engine takes its references back with its first step: none are saved before.
            let first = self.rng.range(0, timer.every().min(100 * MS));
            let late = if timer == Timer::References {
                100 * MS
            } else {
                0
            };
            self.at(first + late, Event::Timer(pid, timer));
        }
    }

    /// Puts a guard back after a turn, or buries it.
    pub(super) fn keep(&mut self, mut guard: Guard, turn: Turn) {
        if turn.is_ok() {
            self.judge_turn(&mut guard);
            let is_durable = guard
                .account()
                .and_then(|one| one.halt.as_ref())
                .is_some_and(|halt| halt.durable)
                && !guard.is_writing_resume();
            if is_durable {
                self.check.said_durable();
            }
            self.guard = Some(guard);
            return;
        }
        self.kill_in = None;
        self.fire(Fault::KillAnywhere);
        self.bury(&guard);
    }

    /// Runs one turn of the guard, in the middle of which it may be killed.
    pub fn with_guard(&mut self, turn: impl FnOnce(&mut Self, &mut Guard) -> Turn) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        self.in_turn = Some(guard.trading.state());
        let was_active = guard.trading.state() == State::Active;
        let is_stopped = guard.is_stopped(self.t);
        let result = turn(self, &mut guard);
        if (was_active || guard.trading.state() == State::Active) && !is_stopped {
            self.check.active_at = self.t;
        }
        self.in_turn = None;
        self.keep(guard, result);
    }

    pub fn kill_guard(&mut self) {
        if let Some(guard) = self.guard.take() {
            self.bury(&guard);
        }
    }

    fn bury(&mut self, guard: &Guard) {
        self.check.forget_decision();
        self.check.died_unclean(self.boot, guard.was_active);
        // What was handed to the kernel gets to disk by itself, unless power is lost first.
        let delay = self.rng.range(100, 2500) * MS;
        self.at(delay, Event::StartGuard);
    }

    /// SIGSTOP: nothing runs until it is continued; what arrives waits in the sockets.
    pub fn stop_guard(&mut self, ns: i64, fault: Fault) {
        let until = self.t + ns;
        let t = self.t;
        let Some(guard) = &mut self.guard else { return };
        if guard.stopped_until <= t {
            guard.stopped_at = t;
        }
        guard.stopped_until = guard.stopped_until.max(until);
        let pid = guard.pid;
        self.fire(fault);
        self.at(ns, Event::Continue(pid));
    }

    /// SIGTERM: gates closed, the latch marked, the process gone when the disk has it or in two seconds.
    pub fn stop_cleanly(&mut self) {
        if self
            .guard
            .as_ref()
            .is_none_or(|guard| guard.stopped_until > self.t)
        {
            return;
        }
        self.with_guard(|world, guard| {
            if guard.trading.state() != State::Halted {
                let word = StateWord {
                    state: 1,
                    ..guard.trading.word()
                };
                guard.page.set_state(word, "");
                world.push_end(guard);
            }
            world.micro()?;
            if let Some(pending) = guard.pending.take() {
                // Nobody was told of it: the halt stands.
                if world.planted(Plant::StopResumes) {
                    world.persist(guard, true);
                    return Ok(());
                }
                let _ = guard.trading.resume_failed(&pending.halt_id);
            }
            world.persist(guard, true);
            Ok(())
        });
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        self.flush(&mut guard);
        // Nothing comes after the record of a clean end: whichever copy has it is right.
        self.check.ended_clean(self.boot);
        let delay = self.rng.range(100, 2500) * MS;
        self.at(delay, Event::StartGuard);
    }
}
