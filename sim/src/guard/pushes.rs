//! What the guard tells remote gates unasked, as `edgeguard/guard/gates.py`.

use std::rc::Rc;

use edgeguard_core::lease::Beat;
use edgeguard_core::trading_state::{Action, Change, Pause, State};

use super::{Guard, Turn};
use crate::network::{Link, Push, Word};
use crate::world::{Event, LEASE_NS, World};

/// A scope that is paused and released now and then: what is pushed of it leaves the account open.
const SCOPE: &str = "strategy:X";

/// Returns whether anything that is done halts or pauses.
pub(super) fn is_closing(actions: &[Action]) -> bool {
    actions.iter().any(|action| {
        matches!(
            action,
            Action::Publish {
                change: Change::Halt | Change::Pause,
                ..
            }
        )
    })
}

impl World {
    /// Tells every gate that pinged within a lease.
    pub(super) fn push(&mut self, guard: &mut Guard) {
        // A planted bug holds back the page: what it does not show is told to nobody.
        if !guard.waits_durable {
            let beat = guard.beat();
            self.push_beat(guard, &beat);
        }
    }

    /// The last word of a clean end.
    pub(super) fn push_end(&mut self, guard: &mut Guard) {
        if guard.trading.state() != State::Halted {
            let beat = Rc::new(Beat {
                state: State::Starting,
                ..(*guard.beat()).clone()
            });
            self.push_beat(guard, &beat);
        }
    }

    fn push_beat(&mut self, guard: &mut Guard, beat: &Rc<Beat>) {
        let boot_ns = self.now().boot_ns;
        guard
            .asked
            .retain(|_, asked_ns| boot_ns - *asked_ns < LEASE_NS);
        for life in guard.asked.keys() {
            let push = Push {
                life: *life,
                beat: Rc::clone(beat),
                sent_at: self.t,
            };
            self.send(Link::GuardToGate, Event::ToGate(Word::Push(push)));
        }
    }

    /// Now and then a strategy's limit pauses it alone, or lets it go again.
    pub(super) fn flap_scope(&mut self, guard: &mut Guard) -> Turn {
        if !self.rng.chance(300) {
            return Ok(());
        }
        let mut actions = guard.trading.release(SCOPE, "limit");
        if actions.is_empty() {
            let pause = Pause {
                trigger: "errors".to_owned(),
                code: "C".to_owned(),
                held: false,
                since_ns: self.now().wall_ns,
            };
            actions = guard.trading.pause(SCOPE, "limit", pause);
        }
        self.act(guard, actions)
    }
}
