//! When faults strike, what they do, and how they end.

use crate::broker::EQUITY;
use crate::faults::Fault;
use crate::gates::Side;
use crate::guard::Guard;
use crate::network::{Link, Verb};
use crate::world::{Event, MS, SECOND, World};

impl World {
    /// Gives every fault of the plan that has a time its times.
    pub fn schedule_faults(&mut self) {
        for fault in Fault::ALL {
            if !self.plan.has(*fault) {
                continue;
            }
            for _ in 0..self.rng.range(1, 4) {
                let at = self.rng.range(300 * MS, self.calm_at);
                self.at(at, Event::Fault(*fault));
            }
        }
        self.at(self.calm_at, Event::Heal(Fault::Drop));
    }

    /// Returns a length that is now below, now above a lease.
    fn while_ns(&mut self) -> i64 {
        match self.rng.range(0, 4) {
            0 => self.rng.range(50, 400) * MS,
            1 => self.rng.range(700, 1300) * MS,
            2 => self.rng.range(1, 5) * SECOND,
            _ => self.rng.range(1000, 2500) * MS,
        }
    }

    pub fn strike(&mut self, fault: Fault) {
        let ns = self.while_ns();
        match fault {
            Fault::GatePartition => {
                self.cut(Link::GateToGuard, ns);
                self.cut(Link::GuardToGate, ns);
            }
            Fault::OneWay => {
                let is_deaf = self.rng.chance(500);
                self.cut(
                    [Link::GuardToGate, Link::GateToGuard][usize::from(is_deaf)],
                    ns,
                );
            }
            Fault::BrokerPartition => self.cut(Link::Broker, ns),
            Fault::LateBroker => {
                let late = self.rng.range(1, 10) * SECOND;
                self.strike_late(late, ns * 2);
            }
            Fault::DiskSlow => self.disk_slow = self.rng.range(20, 700) * MS,
            Fault::DiskHung => self.disk_hung = true,
            Fault::DiskError => self.disk_failing = true,
            Fault::BrokerSilent => {
                self.fire(fault);
                self.broker.is_silent = true;
                let silence = self.rng.range(1, 8) * SECOND;
                self.at(silence, Event::Heal(fault));
            }
            Fault::WallForward | Fault::WallBack => self.step_wall(fault),
            Fault::BadSnapshot => self.broker.spoil_money = self.rng.range(1, 30) as u32,
            Fault::ForeignSnapshot => self.broker.spoil_identity = 1,
            Fault::NotFlat => {
                self.broker.is_slow = true;
                self.at(ns * 2, Event::Heal(fault));
            }
            Fault::Hole => {
                self.broker.lose_error = true;
                if self.has(Fault::LateBroker) {
                    self.strike_late(self.t % SECOND + SECOND, 3 * SECOND);
                }
            }
            Fault::Breach => {
                self.fire(fault);
                self.broker.equity = EQUITY - self.rng.range(310_000, 590_000);
                self.at(ns, Event::Heal(fault));
            }
            Fault::Exposure => self.expose(),
            Fault::FeedSilent => {
                self.broker.is_feed_silent = true;
                let silence = self.rng.range(300, 7_000) * MS;
                self.at(silence, Event::Heal(fault));
            }
            _ => self.strike_process(fault, ns),
        }
        if matches!(fault, Fault::DiskSlow | Fault::DiskHung | Fault::DiskError) {
            self.at(ns, Event::Heal(fault));
        }
    }

    fn strike_process(&mut self, fault: Fault, ns: i64) {
        match fault {
            Fault::GuardStop => self.stop_guard(ns, fault),
            Fault::HostSuspend => {
                self.stop_guard(ns, fault);
                self.gates.stopped_until[0] = self.t + ns;
            }
            Fault::GateStop => {
                let side = if self.rng.chance(700) {
                    Side::Remote
                } else {
                    Side::Local
                };
                self.stop_gate(side, ns);
            }
            Fault::GateKill => {
                self.fire(fault);
                let side = if self.rng.chance(500) {
                    Side::Remote
                } else {
                    Side::Local
                };
                self.kill_gate(side);
            }
            Fault::GuardKill => {
                self.fire(fault);
                self.kill_guard();
            }
            Fault::KillAtTrip => self.kill_at_trip = Some(self.rng.range(0, 9) as u32),
            Fault::KillAnywhere => self.kill_in = Some(self.rng.range(0, 40) as u32),
            Fault::PowerLoss => self.lose_power(),
            Fault::PageLost => {
                if let Some(page) = self.page.take() {
                    self.fire(fault);
                    page.unlink();
                }
            }
            Fault::CleanStop => {
                self.fire(fault);
                self.stop_cleanly();
            }
            _ => self.strike_by_hand(fault),
        }
    }

    fn strike_by_hand(&mut self, fault: Fault) {
        match fault {
            Fault::ManualHalt => {
                self.fire(fault);
                self.command(Verb::Halt, "ana", "");
            }
            Fault::ManualWord => self.set_manual_word(fault),
            Fault::HaltFile if self.is_powered && self.disk.halt_file.is_none() => {
                self.fire(fault);
                self.disk.halt_file = Some(self.t as u64);
            }
            Fault::BadResume => self.bad_resume(),
            Fault::ReplayedResume => self.replay_resume(),
            _ => {}
        }
    }

    pub fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::LateBroker => self.broker_late = 0,
            Fault::DiskSlow => self.disk_slow = 0,
            Fault::DiskHung => {
                self.disk_hung = false;
                self.resume_disk();
            }
            Fault::DiskError => self.disk_failing = false,
            Fault::BrokerSilent => self.broker.is_silent = false,
            Fault::NotFlat => self.broker.is_slow = false,
            Fault::Breach => self.broker.equity = EQUITY,
            Fault::FeedSilent => self.broker.is_feed_silent = false,
            Fault::Drop => self.become_calm(),
            _ => {}
        }
    }

    /// No more faults: what is still under way ends, and the gates must open again by the end.
    fn become_calm(&mut self) {
        for fault in [
            Fault::LateBroker,
            Fault::DiskSlow,
            Fault::DiskHung,
            Fault::DiskError,
            Fault::BrokerSilent,
            Fault::NotFlat,
            Fault::Breach,
            Fault::FeedSilent,
        ] {
            self.heal(fault);
        }
        self.broker.spoil_money = 0;
        self.broker.spoil_identity = 0;
        self.broker.lose_error = false;
        self.cut_until = [0; 4];
        self.kill_in = None;
        self.kill_at_trip = None;
        self.word_in = None;
        self.opened = [false; 2];
    }

    const fn cut(&mut self, link: Link, ns: i64) {
        self.cut_until[link as usize] = self.t + ns;
    }

    /// The broker's words are late by as much for a while.
    fn strike_late(&mut self, late: i64, ns: i64) {
        self.fire(Fault::LateBroker);
        self.broker_late = late;
        self.at(ns, Event::Heal(Fault::LateBroker));
    }

    fn step_wall(&mut self, fault: Fault) {
        self.fire(fault);
        let step =
            [3 * SECOND, 40 * SECOND, 300 * SECOND, 7_200 * SECOND][self.rng.range(0, 4) as usize];
        self.wall_offset += if fault == Fault::WallForward {
            step
        } else {
            -step
        };
    }

    /// A third party opens something on the account.
    fn expose(&mut self) {
        if self
            .guard
            .as_ref()
            .is_some_and(|guard| guard.standing().is_some())
        {
            self.fire(Fault::Exposure);
        }
        self.broker.has_exposure = true;
    }

    /// The guard's host loses power: everything on it dies, and what was not synced may be lost.
    fn lose_power(&mut self) {
        if !self.is_powered {
            return;
        }
        self.fire(Fault::PowerLoss);
        let is_resuming = self.guard.as_ref().is_some_and(Guard::is_writing_resume);
        self.kill_guard();
        let may_tear = self.has(Fault::TornWrite);
        if self.disk.cut(&mut self.rng, may_tear) {
            self.fire(Fault::TornWrite);
        }
        self.judge_disk(is_resuming);
        self.page = None;
        self.is_powered = false;
        self.gates.lives[0] += 1;
        let off = self.rng.range(200, 2000) * MS;
        self.at(off, Event::StartGuard);
    }

    /// What only the page knew is gone: a halt that was said to be durable must not be.
    fn judge_disk(&mut self, is_resuming: bool) {
        let found = self.disk.read();
        let is_doubted = !found.faults.is_empty() || found.file.is_none() != found.row.is_none();
        let records = [found.file, found.row];
        let halts = records
            .iter()
            .flatten()
            .any(|record| !record.halts.is_empty());
        let on_disk = halts || is_doubted || self.disk.halt_file.is_some();
        let is_marked = records
            .iter()
            .flatten()
            .any(|record| record.run == self.run);
        self.check
            .power_lost(self.t, on_disk, is_resuming, is_marked);
    }

    /// A start on the same boot finds no page.
    pub fn lose_page(&mut self) {
        self.judge_disk(false);
        self.check.page_lost();
    }
}
