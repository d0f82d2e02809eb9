//! What the engine is given and what it decides, the account's snapshots; as `pipeline.py`.

use std::rc::Rc;

use edgeguard_core::engine::Flags;
use edgeguard_core::freshness::Seen;
use edgeguard_core::reaction::{Ruling, decide};
use edgeguard_core::trading_state::ACCOUNT;
use edgeguard_core::types::{Action, Origin, Trigger};

use super::{Guard, Killed, Turn};
use crate::network::Snapshot;
use crate::plants::Plant;
use crate::world::World;

impl World {
    /// Gives the engine a frame and carries out what it decides.
    pub(super) fn frame(&mut self, guard: &mut Guard, payload: &[u8]) -> Result<u32, Killed> {
        let flags = guard
            .engine
            .on_frame(payload, self.engine_now(), Origin::default());
        let flags = flags.unwrap_or_default();
        self.obey(guard, flags)?;
        Ok(flags.0)
    }

    /// As `Pipeline._obey`.
    pub(super) fn obey(&mut self, guard: &mut Guard, flags: Flags) -> Turn {
        if flags.has(Flags::DECISIONS) {
            for decision in guard.engine.take_decisions() {
                if decision.action == Action::Halt {
                    if decision.trigger == Trigger::ConnectionLost {
                        let boot_ns = self.now().boot_ns;
                        let lost = decision.reference.as_deref().unwrap_or("nobody");
                        self.judge_silence(boot_ns, Some(lost));
                    }
                    self.halt(guard, decision.trigger.name())?;
                } else {
                    let code = decision.code_text();
                    let ruling = Ruling::of(&decision, &code);
                    let actions = decide(&mut guard.trading, &ruling, self.now(), "");
                    self.act(guard, actions)?;
                }
            }
        }
        if flags.has(Flags::HOLE) && !self.planted(Plant::HoleIgnored) {
            self.pause(guard, "hole", "HOLE", false)?;
        }
        if flags.has(Flags::HOLE) {
            guard.hole_request = self.ask_read(guard);
        } else if flags.has(Flags::FRESH_READ) {
            self.ask_read(guard);
        }
        Ok(())
    }

    /// As `Pipeline._look` and `_took_snapshot`.
    pub(super) fn on_snapshot(&mut self, guard: &mut Guard, snapshot: &Snapshot) -> Turn {
        let now = self.now();
        if snapshot.is_foreign && !self.planted(Plant::IdentityIgnored) {
            return self.pause(guard, "identity", "WRONG_ACCOUNT", true);
        }
        let mut seen = Seen {
            epoch: 1,
            t_ns: snapshot.t_ns,
            request: snapshot.request,
            has_money: snapshot.equity.is_some() || self.planted(Plant::MoneyIgnored),
        };
        if self.planted(Plant::SnapshotByArrival)
            || (self.planted(Plant::LateAnswer) && seen.request > 0)
        {
            seen.request = guard.fresh.ask(now.boot_ns);
        }
        if !guard.fresh.take(seen, now) {
            return if snapshot.equity.is_none() {
                self.frame(guard, &snapshot.payload).map(|_| ())
            } else {
                Ok(())
            };
        }
        if self.frame(guard, &snapshot.payload)? & Flags::IGNORED != 0 {
            // An answer that a later one overtook: the engine has judged newer data.
            return Ok(());
        }
        if snapshot.equity.is_some() && !snapshot.is_foreign {
            self.check.read_at = snapshot.read_at;
        }
        self.covers(snapshot.read_at);
        judge_breach(guard, snapshot);
        let actions = guard.trading.met("snapshot");
        self.act(guard, actions)?;
        // A read that was under way when a message was lost may be of before it.
        if snapshot.request >= guard.hole_request || self.planted(Plant::HoleByAnyRead) {
            guard.hole_request = 0;
            self.release(guard, "hole")?;
        }
        for cause in ["snapshot_age", "away"] {
            self.release(guard, cause)?;
        }
        if snapshot.t_ns > guard.flat_t_ns && snapshot.has_exposure {
            let actions = guard.trading.exposed(now, ACCOUNT);
            self.act(guard, actions)?;
        }
        Ok(())
    }

    /// A lost message is covered by a read of after it.
    fn covers(&mut self, read_at: i64) {
        if self.hole_lost_at <= read_at {
            self.check.hole_at = None;
        }
    }

    pub(super) const fn lost_at(&mut self, at: i64) {
        self.hole_lost_at = at;
    }

    /// Saves the engine's references, and looks whether a day began twice.
    pub(super) fn save_references(&mut self, guard: &mut Guard) {
        let Ok(references) = guard.engine.references() else {
            return;
        };
        if let Some(taken_ns) = day_taken(&references) {
            let latest = guard.days.last().copied();
            let is_new = guard.days.insert(taken_ns);
            if is_new && !guard.is_rebased && latest.is_some_and(|latest| taken_ns < latest) {
                self.check.violate(
                    "P12",
                    self.t,
                    "a day began that is before the last one".to_owned(),
                );
            }
        }
        self.disk.references = Some(Rc::new(references));
        self.day_cents = guard.day_cents;
    }
}

/// The model's own reading of the daily limit, where no day ended and nobody re-based.
fn judge_breach(guard: &mut Guard, snapshot: &Snapshot) {
    let Some(equity) = snapshot.equity.filter(|_| !guard.is_rebased) else {
        return;
    };
    let day = *guard.day_cents.get_or_insert(equity);
    guard.is_breached = (day - equity) * 100 > day * 3;
}

/// Reads when the day's reference was taken.
fn day_taken(references: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(references).ok()?;
    let day = text.split_once("\"day\":{")?.1;
    let taken = day.split_once("\"taken_ns\":")?.1;
    taken.split_once(',')?.0.parse().ok()
}
