//! The people: halts by hand, resumes with and without right, and the way back when all is calm.

use edgeguard_core::trading_state::State;

use crate::broker::EQUITY;
use crate::faults::Fault;
use crate::gates::Side;
use crate::guard::Guard;
use crate::network::{Command, Link, Packet, Verb};
use crate::world::{Event, MS, SECOND, World};

/// What the operator remembers.
#[derive(Debug, Default)]
pub struct Operator {
    nonce: u64,
    last_resume: Option<Command>,
    restarts: u32,
}

impl World {
    /// Sends a command over the control socket.
    pub fn command(&mut self, verb: Verb, operator: &'static str, halt_id: &str) -> Command {
        self.operator.nonce += 1;
        let command = Command {
            verb,
            nonce: self.operator.nonce,
            t_ns: self.now().wall_ns,
            operator,
            halt_id: halt_id.to_owned(),
        };
        self.send(
            Link::Control,
            Event::ToGuard(Packet::Command(command.clone())),
        );
        command
    }

    /// Every now and then somebody looks, and does what would open the gates again.
    pub fn operate(&mut self) {
        let pause = if self.t < self.calm_at {
            self.rng.range(700, 2500)
        } else {
            500
        };
        self.at(pause * MS, Event::Operate);
        let Some(guard) = &self.guard else { return };
        let standing = guard.standing().map(|(id, _)| id);
        let (is_unacknowledged, is_held) = guard.held_pauses();
        let is_distrusted = guard.has_storage_fault();
        let is_blind = guard.has_input_pause();
        let is_stopped = guard.is_stopped(self.t);
        if self.t < self.calm_at && self.rng.chance(300) {
            return;
        }
        if is_unacknowledged {
            self.command(Verb::Acknowledge, "ana", "");
        }
        if is_blind {
            self.command(Verb::Rebaseline, "ana", "");
        }
        if is_held {
            self.command(Verb::EndPauses, "ana", "");
        }
        if is_distrusted && !is_stopped && self.t > self.calm_at && self.operator.restarts < 4 {
            self.operator.restarts += 1;
            self.stop_cleanly();
            return;
        }
        if self.t > self.calm_at {
            self.heal_gate();
        }
        if let Some(halt_id) = standing {
            self.command(Verb::Rebaseline, "ana", "");
            let command = self.command(Verb::Resume, "ana", &halt_id);
            self.operator.last_resume = Some(command);
        }
    }

    /// A gate that holds a halt which no guard remembers is for its owner to restart.
    fn heal_gate(&mut self) {
        let Some(guard) = &self.guard else { return };
        let known: Vec<String> = guard.trading.resumed().iter().cloned().collect();
        let standing = guard.standing();
        let is_unknown = |id: &String| {
            !known.contains(id) && standing.as_ref().is_none_or(|(halt_id, _)| halt_id != id)
        };
        if self.t < self.calm_at + 6 * SECOND {
            return;
        }
        let is_open = guard.trading.state() == State::Active;
        if self.remote_latched().iter().any(is_unknown) || guard.epoch < self.gates.remote.epoch() {
            self.stuck_gates += 1;
            self.kill_gate(Side::Remote);
        }
        if is_open && self.gates.local.is_latched() {
            self.stuck_gates += 1;
            self.kill_gate(Side::Local);
        }
    }

    /// A resume that must be refused.
    pub fn bad_resume(&mut self) {
        let standing = self
            .guard
            .as_ref()
            .and_then(Guard::standing)
            .map(|(id, _)| id);
        let id = standing.unwrap_or_else(|| "H0".to_owned());
        let (operator, id) = match self.rng.range(0, 3) {
            0 => ("", id),
            1 => (" ", id),
            _ => ("ana", "H-unknown".to_owned()),
        };
        self.fire(Fault::BadResume);
        self.command(Verb::Resume, operator, &id);
    }

    /// The last resume again, as an eavesdropper would send it.
    pub fn replay_resume(&mut self) {
        if let Some(command) = self.operator.last_resume.clone() {
            self.fire(Fault::ReplayedResume);
            self.send(Link::Control, Event::ToGuard(Packet::Command(command)));
        }
    }

    /// Calm for long: whoever guards must let risk in again, or something is stuck for ever.
    pub fn judge_end(&mut self) {
        if self.broker.equity < EQUITY - 200_000 {
            return;
        }
        if self.opened != [true, true] {
            let state = self.guard.as_ref().map(Guard::describe);
            let text = format!(
                "gates open {:?} after a long calm; guard {state:?}",
                self.opened
            );
            self.check.violate("liveness", self.t, text);
        }
    }
}
