//! The moments at which the promises are judged: an answer, a page, a turn, a lowering, a silence.

use edgeguard_core::page::Code;
use edgeguard_core::start::LatchRecord;
use edgeguard_core::trading_state::State;

use crate::check::Heard;
use crate::faults::Fault;
use crate::frames::{FEED, LOST_NS, SOURCES};
use crate::gates::Side;
use crate::guard::Guard;
use crate::plants::Plant;
use crate::world::{FEED_SILENCE_NS, MS, World};

impl World {
    /// Judges one answer of a gate.
    pub fn note_answer(&mut self, side: Side, code: Code) {
        if self.story.is_some() && self.answered[side as usize] != Some(code) {
            self.answered[side as usize] = Some(code);
            self.tell(|| format!("{side:?} gate {code:?}"));
        }
        if code == Code::Open {
            self.check.judge_open(side, self.t);
            self.opened[side as usize] = true;
        } else if self.check.open_since[side as usize].take().is_some() {
            self.closings += 1;
        }
        self.digest =
            (self.digest ^ (code as u64 + 16 * side as u64)).wrapping_mul(0x0100_0000_01b3);
    }

    /// Judges the state that the guard has just put on its page.
    pub fn judge_page(&mut self, guard: &Guard) {
        if guard.trading.state() != State::Active {
            return;
        }
        let (file, row) = self.disk.synced();
        let is_marked = |record: Option<&LatchRecord>| {
            record.is_some_and(|record| record.run == guard.epoch && !record.is_clean)
        };
        let at = self.t;
        let may_open = guard.has_storage_fault() || (is_marked(file) && is_marked(row));
        if !may_open {
            self.check.violate(
                "P4",
                at,
                "open before the mark of this run is on both copies".to_owned(),
            );
        }
        if self.check.read_at < guard.started_at {
            self.check
                .violate("P4", at, "open without a read of this run".to_owned());
        }
        if self
            .check
            .must_acknowledge()
            .is_some_and(|boot| boot != self.boot)
        {
            self.check.violate(
                "P4",
                at,
                "open after power loss and nobody acknowledged".to_owned(),
            );
        }
        self.check.is_open_again();
    }

    /// Judges a turn of the guard by what it knew before.
    pub fn judge_turn(&mut self, guard: &mut Guard) {
        let halt = guard.standing();
        if let (Some(before), Some(now)) = (&guard.stood, &halt)
            && before != now
        {
            let text = format!("halt {} became {} while it stood", before.0, now.0);
            self.check.violate("P8", self.t, text);
        }
        if guard.stood.is_some() && halt.is_none() && !guard.was_lowered {
            self.check.violate(
                "P7",
                self.t,
                "the latch was lowered by no resume".to_owned(),
            );
        }
        if halt.is_some() && guard.trading.word().severity != 1 {
            self.check
                .violate("P8", self.t, "severity fell while a halt stood".to_owned());
        }
        guard.was_lowered = false;
        guard.stood = halt;
        if guard.is_breached && guard.stood.is_none() {
            self.check.violate(
                "P9",
                self.t,
                "a broken limit was seen and nothing halted".to_owned(),
            );
        }
    }

    /// Judges a word of the guard to a gate: after a stop it must know anew what it says.
    pub fn judge_word(&mut self, guard: &Guard) {
        if guard.trading.state() == State::Active && self.check.read_at < guard.away_at {
            self.check.violate(
                "P9",
                self.t,
                "an ACTIVE word of a guard that was away, on data of before".to_owned(),
            );
        }
        // Of a run that has not heard the feed yet nothing opens.
        let silence = self.check.heard[FEED]
            .boot
            .map_or(0, |boot| self.now().boot_ns - boot);
        if silence > FEED_SILENCE_NS {
            let text = format!(
                "a word to a gate after {} ms without the feed",
                silence / MS
            );
            self.check.violate("P9", self.t, text);
        }
    }

    /// Judges the lowering of a latch.
    pub fn judge_lowering(&mut self, halt_id: &str, is_right: bool) {
        let at = self.t;
        if !is_right {
            self.check.violate(
                "P7",
                at,
                "a resume without operator, id, flat or fresh data was taken".to_owned(),
            );
        }
        let holds = |record: Option<&LatchRecord>| {
            record.is_none_or(|record| record.halts.iter().any(|halt| halt.id == halt_id))
        };
        let (file, row) = self.disk.synced();
        if holds(file) || holds(row) {
            self.check.violate(
                "P7",
                at,
                "a resume was announced before both copies had it".to_owned(),
            );
        }
    }

    /// The engine has heard a source.
    pub fn note_heard(&mut self, source: usize) {
        self.check.heard[source].boot = Some(self.now().boot_ns);
    }

    /// The engine says that a source was lost, and which; or it should have, where it says nothing.
    pub fn judge_silence(&mut self, boot_ns: i64, lost: Option<&str>) {
        for (at, name) in SOURCES.iter().enumerate() {
            let Heard { boot, is_lost } = self.check.heard[at];
            let Some(heard) = boot.filter(|_| !is_lost) else {
                continue;
            };
            let silence = boot_ns - heard;
            let is_decided = lost == Some(*name);
            if is_decided && silence <= LOST_NS {
                let text = format!("{name} lost after {} ms of silence", silence / MS);
                self.check.violate("P12", self.t, text);
            }
            if lost.is_none() && silence > LOST_NS + 100 * MS {
                let text = format!("{} ms of silence and {name} not lost", silence / MS);
                self.check.violate("P12", self.t, text);
            }
            self.check.heard[at].is_lost |= is_decided;
        }
    }

    /// A resume clears what was lost: its silence counts anew.
    pub fn note_cleared(&mut self) {
        let boot_ns = self.now().boot_ns;
        for one in &mut self.check.heard {
            if std::mem::take(&mut one.is_lost) {
                one.boot = one.boot.map(|_| boot_ns);
            }
        }
    }

    /// Takes a fault into account: it happened, and in this state.
    pub fn fire(&mut self, fault: Fault) {
        self.fired[fault as usize] += 1;
        let state = match (&self.guard, self.in_turn) {
            (Some(guard), _) => guard.trading.state() as usize,
            (None, Some(state)) => state as usize,
            (None, None) => 4,
        };
        self.pairs[state] |= 1 << (fault as u64);
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.t < self.calm_at && self.plan.has(fault)
    }

    pub fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }
}
