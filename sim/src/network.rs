//! Messages between the parts, and what a network does to them.

use std::rc::Rc;

use edgeguard_core::lease::Beat;

use crate::faults::Fault;
use crate::world::{Event, MS, World};

/// One account snapshot with what the guard's shell reads of it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub payload: Rc<Vec<u8>>,
    pub t_ns: i64,
    pub request: i64,
    pub equity: Option<i64>,
    pub is_foreign: bool,
    pub has_exposure: bool,
    /// True time of the read.
    pub read_at: i64,
}

/// An operator's command.
#[derive(Clone, Debug)]
pub struct Command {
    pub verb: Verb,
    pub nonce: u64,
    pub t_ns: i64,
    pub operator: &'static str,
    pub halt_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Halt,
    Resume,
    EndPauses,
    Acknowledge,
    Rebaseline,
}

/// What reaches the guard.
#[derive(Clone, Debug)]
pub enum Packet {
    Ping {
        nonce: u64,
        life: u32,
    },
    Snapshot(Snapshot),
    Proof(Rc<Vec<u8>>),
    /// An error message, and the true time at which the one before it was sent.
    Error {
        payload: Rc<Vec<u8>>,
        before_at: i64,
    },
    /// A heartbeat of the feed.
    Feed(Rc<Vec<u8>>),
    Flat {
        halt_id: String,
        is_flat: bool,
        t_ns: i64,
    },
    Command(Command),
}

/// What reaches the broker.
#[derive(Clone, Debug)]
pub enum Order {
    Read(i64),
    Flatten(String),
    Stop,
}

/// An echo on its way to the remote gate.
#[derive(Clone, Debug)]
pub struct Echo {
    pub nonce: u64,
    pub life: u32,
    pub beat: Rc<Beat>,
    /// True time at which the guard sent it.
    pub sent_at: i64,
}

/// A state on its way to the remote gate that it has not asked for.
#[derive(Clone, Debug)]
pub struct Push {
    pub life: u32,
    pub beat: Rc<Beat>,
    /// True time at which the guard sent it.
    pub sent_at: i64,
}

/// What reaches the remote gate.
#[derive(Clone, Debug)]
pub enum Word {
    Echo(Echo),
    Push(Push),
}

/// The links; each can be cut alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    GateToGuard,
    GuardToGate,
    Broker,
    Control,
}

impl World {
    /// Sends an event over a link, to arrive once, late, twice or never.
    pub fn send(&mut self, link: Link, event: Event) {
        if self.cut_until[link as usize] > self.t {
            let fault = match link {
                Link::Broker => Fault::BrokerPartition,
                Link::GuardToGate if self.cut_until[Link::GateToGuard as usize] <= self.t => {
                    Fault::OneWay
                }
                Link::GateToGuard if self.cut_until[Link::GuardToGate as usize] <= self.t => {
                    Fault::OneWay
                }
                _ => Fault::GatePartition,
            };
            self.fire(fault);
            return;
        }
        if self.has(Fault::Drop) && self.rng.chance(self.drop_rate) {
            self.fire(Fault::Drop);
            return;
        }
        let mut delay = self.rng.range(MS / 20, 4 * MS);
        if link == Link::Broker {
            delay += self.broker_late;
        }
        if self.has(Fault::Reorder) && self.rng.chance(40) {
            self.fire(Fault::Reorder);
            delay += self.rng.range(1, 400) * MS;
        }
        if self.has(Fault::Duplicate) && self.rng.chance(30) {
            self.fire(Fault::Duplicate);
            let again = delay + self.rng.range(1, 300) * MS;
            self.at(again, event.clone());
        }
        self.at(delay, event);
    }
}
