//! How a guard comes up: what it finds, what it makes of that, and what it does first; as `assembly.py`.

use std::collections::{BTreeMap, BTreeSet};

use edgeguard_core::engine::Engine;
use edgeguard_core::freshness::Freshness;
use edgeguard_core::latch_rules::LatchRules;
use edgeguard_core::page::{PageWriter, STATE_HALTED, StateWord, Words as _, word};
use edgeguard_core::start::{
    Found, FoundPage, LatchHalt, Remembered, Verdict, epoch_after, judge_start,
};
use edgeguard_core::trading_state::{ACCOUNT, Halt, Pause, TradingState};

use super::store::Writers;
use super::{Guard, Turn, UNACKNOWLEDGED};
use crate::memory_page::PageRef;
use crate::plants::Plant;
use crate::world::{AGE_NS, LEASE_NS, World};

impl World {
    /// Claims the page and judges what was read; nothing is done yet.
    pub(super) fn assemble(&mut self) -> (Guard, Verdict) {
        self.word_in = None;
        let now = self.now();
        let mut remembered = self.disk.read();
        let (mapped, found) = self.claim();
        let pages: [Found; 1] = [("A".to_owned(), found)];
        let mut epoch = epoch_after(now.wall_ns, &remembered);
        if self.planted(Plant::EpochByWall) {
            epoch = now.wall_ns;
        }
        let known = remembered
            .file
            .iter()
            .chain(&remembered.row)
            .map(|record| record.run)
            .max();
        if known.is_some_and(|known| epoch <= known) {
            let text =
                "a run's number is not above the last one's: remote gates refuse it".to_owned();
            self.check.violate("liveness", self.t, text);
        }
        let template = LatchHalt {
            scope: ACCOUNT.to_owned(),
            id: format!("S{}", self.pid),
            t_ns: now.wall_ns,
            trigger: "start".to_owned(),
            ..LatchHalt::default()
        };
        let start_faults = !remembered.faults.is_empty();
        let pages = self.plant_on_start(&mut remembered, pages);
        let halt_file = self.disk.halt_file.map(|_| "all");
        let boot = format!("boot{}", self.boot);
        let mut verdict = judge_start(&remembered, &pages, halt_file, &boot, &template);
        if self.planted(Plant::BootIgnored) {
            verdict.unacknowledged.clear();
        }
        let before = mapped.load(word::STATE);
        let page = PageWriter::begin(mapped.clone(), LEASE_NS as u64, epoch as u64);
        if self.planted(Plant::PageKeptOpen) {
            mapped.store(word::STATE, before);
        }
        let mut guard = self.new_guard(page, mapped, epoch);
        guard.number = verdict.number;
        guard.start_faults = start_faults;
        (guard, verdict)
    }

    fn plant_on_start(&self, remembered: &mut Remembered, pages: [Found; 1]) -> [Found; 1] {
        if self.planted(Plant::DoubtIgnored) {
            remembered.faults.clear();
            let any = remembered.file.clone().or_else(|| remembered.row.clone());
            remembered.file = remembered.file.take().or_else(|| any.clone());
            remembered.row = remembered.row.take().or(any);
        }
        if self.planted(Plant::NewestCopyOnly) {
            let number = |record: &Option<_>| {
                record
                    .as_ref()
                    .map_or(0, |one: &edgeguard_core::start::LatchRecord| one.number)
            };
            if number(&remembered.file) >= number(&remembered.row) {
                remembered.row = remembered.file.clone();
            } else {
                remembered.file = remembered.row.clone();
            }
        }
        let run = remembered
            .file
            .iter()
            .chain(&remembered.row)
            .map(|one| (one.number, one.run))
            .max();
        let is_blind = self.planted(Plant::PageIgnored);
        let no_word = self.planted(Plant::ManualIgnored);
        pages.map(|(name, page)| {
            let any_run = self.planted(Plant::MarkedByAnyPage);
            let page = page.map(|page| FoundPage {
                epoch: if any_run {
                    run.map_or(0, |(_, run)| run)
                } else {
                    page.epoch
                },
                is_halted: page.is_halted && !is_blind,
                manual: if is_blind || no_word { 0 } else { page.manual },
                ..page
            });
            (name, page)
        })
    }

    /// As `PageWriter::claim`: the page in place if it is of this boot, otherwise a new one.
    fn claim(&mut self) -> (PageRef, Option<FoundPage>) {
        if let Some(page) = self.page.clone().filter(|page| page.is_of(self.boot)) {
            let state = StateWord::unpack(page.load(word::STATE));
            let found = FoundPage {
                is_halted: state.state == STATE_HALTED,
                halt_id: halt_text(&page),
                manual: page.load(word::MANUAL),
                epoch: page.load(word::EPOCH) as i64,
            };
            return (page, Some(found));
        }
        if self.boot == self.ran_on {
            // Somebody removed the page: what stood there alone is gone as after power loss.
            self.lose_page();
        }
        self.ran_on = self.boot;
        let page = PageRef::new(self.boot);
        self.page = Some(page.clone());
        (page, None)
    }

    /// Makes the engine of a run, with the references that the disk has.
    fn new_engine(&self) -> Engine {
        let made = Engine::new(
            crate::frames::CONFIG.as_bytes(),
            "hash",
            true,
            &BTreeMap::new(),
        );
        assert!(
            made.is_ok(),
            "the simulated configuration must be good: {made:?}"
        );
        let Ok(mut engine) = made else {
            std::process::abort()
        };
        if let Some(references) = &self.disk.references {
            assert!(
                engine.load_references(references).is_ok(),
                "references must load"
            );
        }
        engine
    }

    fn new_guard(&mut self, page: PageWriter<PageRef>, mapped: PageRef, epoch: i64) -> Guard {
        let engine = self.new_engine();
        let conditions = ["storage", "snapshot", "feed"].map(str::to_owned);
        let first = (self.rng.next() >> 24) as i64;
        self.check.heard = Default::default();
        self.run = epoch;
        Guard {
            pid: self.pid,
            epoch,
            trading: TradingState::new(&conditions),
            started_at: self.t,
            stood: None,
            was_lowered: false,
            is_breached: false,
            engine,
            page,
            mapped,
            pushed: BTreeSet::new(),
            fresh: Freshness::new(AGE_NS, first),
            asked_ns: 0,
            hole_request: 0,
            rules: LatchRules::default(),
            number: 0,
            writers: Writers::default(),
            start_faults: false,
            pending: None,
            nonces: BTreeSet::new(),
            seen_word: 0,
            words: Vec::new(),
            seen_file: None,
            flat_t_ns: 0,
            heard_ns: None,
            stepped_ns: 0,
            looked_ns: i64::MIN / 2,
            halts: 0,
            was_active: false,
            shown: None,
            day_cents: self
                .disk
                .references
                .is_some()
                .then_some(self.day_cents)
                .flatten(),
            waits_durable: false,
            stopped_until: 0,
            stopped_at: 0,
            away_at: 0,
            inbox: Vec::new(),
            asked: BTreeMap::new(),
            due: Vec::new(),
            days: BTreeSet::new(),
            is_rebased: self.was_rebased,
            is_feed_silent: false,
        }
    }

    /// As `assembly._restore` and `Guard.begin`.
    pub(super) fn begin_run(&mut self, guard: &mut Guard, verdict: &Verdict) -> Turn {
        self.tell(|| {
            format!(
                "guard {} epoch {} verdict {verdict:?}",
                guard.pid, guard.epoch
            )
        });
        for (_, halt_id) in &verdict.resumed {
            guard.trading.restore_resumed(halt_id);
        }
        let mut actions = Vec::new();
        for pause in verdict
            .pauses
            .iter()
            .filter(|pause| pause.trigger != "storage")
        {
            let held = Pause {
                trigger: pause.trigger.clone(),
                code: pause.code.clone(),
                held: true,
                since_ns: pause.since_ns,
            };
            actions.extend(guard.trading.pause(&pause.scope, &pause.cause, held));
        }
        let now = self.now();
        if !verdict.unacknowledged.is_empty() {
            let doubt = Pause {
                trigger: "start".to_owned(),
                code: "UNACKNOWLEDGED".to_owned(),
                held: true,
                since_ns: now.wall_ns,
            };
            actions.extend(guard.trading.pause(ACCOUNT, UNACKNOWLEDGED, doubt));
        }
        for found in &verdict.halts {
            let halt = Halt {
                id: found.id.clone(),
                t_ns: found.t_ns,
                trigger: found.trigger.clone(),
                code: found.code.clone(),
                ..Halt::default()
            };
            actions.extend(guard.trading.restore_halt(now, &found.scope, halt));
        }
        self.micro()?;
        if !self.planted(Plant::PageKeptOpen) {
            self.write_page(guard);
        }
        guard.seen_word = 0;
        self.check.word_seen(self.t, guard.page.manual());
        self.act(guard, actions)?;
        self.micro()?;
        self.persist(guard, false);
        let must_halt = self.disk.halt_file.is_some() || guard.page.manual() != 0;
        if must_halt && guard.standing().is_none() {
            self.check.violate(
                "P1",
                self.t,
                "a manual halt was there at the start and is not in force".to_owned(),
            );
        }
        Ok(())
    }
}

/// Reads the halt id's text from a page.
fn halt_text(page: &PageRef) -> String {
    let bytes: Vec<u8> = (0..8)
        .flat_map(|at| page.load(word::HALT_TEXT + at).to_le_bytes())
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
