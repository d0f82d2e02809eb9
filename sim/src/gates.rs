//! The two gates: one on the page of the guard's host, one on another host with an echo lease.

use std::collections::BTreeMap;
use std::rc::Rc;

use edgeguard_core::lease::{Beat, Lease};
use edgeguard_core::page::{Code, Latch, judge};
use edgeguard_core::trading_state::State;

use crate::faults::Fault;
use crate::memory_page::PageRef;
use crate::network::{Echo, Link, Packet, Push, Word};
use crate::plants::Plant;
use crate::world::{Event, LEASE_NS, MS, World};

const PENDING_MAX: usize = 64;
const CHECK_NS: i64 = 25 * MS;
const PING_NS: i64 = 100 * MS;

/// Which gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Local,
    Remote,
}

/// The gate on the page.
#[derive(Debug, Default)]
pub struct PageGate {
    map: Option<PageRef>,
    latch: Latch,
}

impl PageGate {
    /// Returns whether the gate holds a halt that no page has lifted.
    pub fn is_latched(&self) -> bool {
        self.latch != Latch::default()
    }
}

/// The gate with a lease; `sent` holds the pings that may still be answered.
#[derive(Debug)]
pub struct RemoteGate {
    lease: Lease,
    sent: BTreeMap<u64, i64>,
    nonce: u64,
    epoch: i64,
}

impl Default for RemoteGate {
    fn default() -> Self {
        Self {
            lease: Lease::new(LEASE_NS),
            sent: BTreeMap::new(),
            nonce: 0,
            epoch: i64::MIN,
        }
    }
}

impl RemoteGate {
    /// Returns the run that this gate has heard last.
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }
}

/// Both gates and the life of their processes.
#[derive(Debug, Default)]
pub struct Gates {
    pub local: PageGate,
    pub remote: RemoteGate,
    pub lives: [u32; 2],
    pub stopped_until: [i64; 2],
    /// What came while the remote gate was stopped.
    waiting: Vec<Word>,
}

impl World {
    /// Starts the periodic work of a gate's present life.
    pub fn start_gate(&mut self, side: Side) {
        let life = self.gates.lives[side as usize];
        let jitter = self.rng.range(0, 25) * MS;
        self.at(jitter, Event::Check(side, life));
        if side == Side::Remote {
            self.at(jitter, Event::Ping(life));
        }
    }

    /// A gate's process dies and starts anew: its latch is gone with it.
    pub fn kill_gate(&mut self, side: Side) {
        self.gates.lives[side as usize] += 1;
        self.gates.stopped_until[side as usize] = 0;
        match side {
            Side::Local => self.gates.local = PageGate::default(),
            Side::Remote => {
                let nonce = self.gates.remote.nonce;
                self.gates.remote = RemoteGate {
                    nonce,
                    ..RemoteGate::default()
                };
                self.gates.waiting.clear();
            }
        }
        self.start_gate(side);
    }

    /// The gate's own clock.
    fn gate_clock(&self, side: Side) -> i64 {
        match side {
            Side::Local => self.now().boot_ns,
            Side::Remote => self.t + self.remote_offset,
        }
    }

    /// The engine asks the gate whether it may open risk.
    pub fn on_check(&mut self, side: Side, life: u32) {
        if self.gates.lives[side as usize] != life {
            return;
        }
        let until = self.gates.stopped_until[side as usize];
        if until > self.t {
            self.at(until - self.t, Event::Check(side, life));
            return;
        }
        self.at(CHECK_NS, Event::Check(side, life));
        // A gate that was stopped may be asked before or after it reads what waits for it.
        if side == Side::Remote && (self.gates.waiting.is_empty() || self.rng.chance(500)) {
            self.drain_words();
        }
        self.ask(side);
    }

    fn ask(&mut self, side: Side) {
        let code = match side {
            Side::Local => self.check_local(),
            Side::Remote => {
                let clock = self.gate_clock(side);
                self.gates.remote.lease.check(clock)
            }
        };
        self.answers += 1;
        self.note_answer(side, code);
    }

    fn check_local(&mut self) -> Code {
        let boot_ns = self.now().boot_ns as u64;
        let gate = &mut self.gates.local;
        if !gate.map.as_ref().is_some_and(PageRef::is_whole) {
            gate.map.clone_from(&self.page);
        }
        match &gate.map {
            Some(map) if map.is_of(self.boot) => judge(map, &mut gate.latch, boot_ns, || boot_ns),
            _ if gate.latch == Latch::default() => Code::Missing,
            _ => Code::Halted,
        }
    }

    /// The remote gate pings.
    pub fn on_ping_due(&mut self, life: u32) {
        if self.gates.lives[1] != life {
            return;
        }
        let until = self.gates.stopped_until[1];
        if until > self.t {
            self.at(until - self.t, Event::Ping(life));
            return;
        }
        self.at(PING_NS, Event::Ping(life));
        let clock = self.gate_clock(Side::Remote);
        let gate = &mut self.gates.remote;
        gate.nonce += 1;
        let nonce = gate.nonce;
        gate.sent.insert(nonce, clock);
        while gate.sent.len() > PENDING_MAX {
            gate.sent.pop_first();
        }
        self.send(
            Link::GateToGuard,
            Event::ToGuard(Packet::Ping { nonce, life }),
        );
    }

    /// An echo or a push arrives at the remote gate's host.
    pub fn on_word(&mut self, word: Word) {
        self.gates.waiting.push(word);
        if self.gates.stopped_until[1] <= self.t {
            self.drain_words();
        }
    }

    fn drain_words(&mut self) {
        for word in std::mem::take(&mut self.gates.waiting) {
            match word {
                Word::Echo(echo) => self.take_echo(&echo),
                Word::Push(push) => self.take_push(&push),
            }
            self.ask(Side::Remote);
        }
    }

    fn take_push(&mut self, push: &Push) {
        if push.life != self.gates.lives[1] {
            return;
        }
        let mut at = self.gate_clock(Side::Remote);
        let mut beat = (*push.beat).clone();
        let (is_halted, is_open) = (
            beat.state == State::Halted,
            beat.state == State::Active && !beat.hole,
        );
        self.check.pushed(push.sent_at, !is_open);
        let gate = &mut self.gates.remote;
        gate.epoch = gate.epoch.max(beat.epoch);
        let lease = &mut gate.lease;
        match self.plant {
            Some(Plant::PushRenews) => {
                lease.on_echo(at, at, beat.clone());
            }
            Some(Plant::OldEchoReopens) => at -= LEASE_NS,
            Some(Plant::PushForgotten) if is_halted => beat.state = State::Paused,
            _ => {}
        }
        if lease.on_push(at, &beat) && is_halted {
            self.check.latched(push.life, vec![beat.halt_id]);
        }
    }

    fn take_echo(&mut self, echo: &Echo) {
        if echo.life != self.gates.lives[1] {
            return;
        }
        let Some(sent) = self.gates.remote.sent.remove(&echo.nonce) else {
            return;
        };
        let clock = self.gate_clock(Side::Remote);
        let gate = &mut self.gates.remote;
        let beat: Beat = (*echo.beat).clone();
        let mut sent = sent;
        if self.plant == Some(Plant::ArrivalLease) {
            sent = clock;
        }
        if self.plant == Some(Plant::UnstickyGate) && beat.epoch != gate.epoch {
            let length = LEASE_NS;
            gate.lease = Lease::new(length);
        }
        if self.plant == Some(Plant::NoLease) && gate.epoch == i64::MIN {
            gate.lease = Lease::new(i64::MAX);
        }
        gate.epoch = gate.epoch.max(beat.epoch);
        gate.lease.on_echo(sent, clock, beat);
        let halts = self.remote_latched();
        self.check.latched(echo.life, halts);
        self.check.echoed(echo.sent_at);
    }

    /// Stops a gate's process for a while.
    pub fn stop_gate(&mut self, side: Side, ns: i64) {
        self.fire(Fault::GateStop);
        self.gates.stopped_until[side as usize] = self.t + ns;
    }

    /// Returns the halts that the remote gate holds latched.
    pub fn remote_latched(&self) -> Vec<String> {
        self.gates.remote.lease.latched().iter().cloned().collect()
    }

    /// Sends the guard's echo.
    pub fn send_echo(&mut self, nonce: u64, life: u32, beat: Rc<Beat>) {
        let echo = Echo {
            nonce,
            life,
            beat,
            sent_at: self.t,
        };
        self.send(Link::GuardToGate, Event::ToGate(Word::Echo(echo)));
    }
}
