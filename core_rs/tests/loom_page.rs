//! The halt page under loom: every order in which a reader may see what the writer stored.
//!
//! `make loom`. The same writer and the same judgement as on shared memory, on words that loom watches.
//! Each claim has a mistake planted beside it, weaker orderings mostly, that loom has to find.

#![cfg(loom)]
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use edgeguard_core::page::{
    Code, HALT_UNNAMED, LAYOUT, Latch, MAGIC, PageWriter, StateWord, Words, hash_word, judge,
    judge_scope, word,
};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

/// Words that are shared in a model; the others read as 0 and store nothing.
const SHARED: [usize; 11] = [
    word::MAGIC,
    word::LAYOUT,
    word::LEASE,
    word::STATE,
    word::BEAT,
    word::HALT,
    word::STREAK,
    word::MANUAL,
    word::RESUMED,
    word::SCOPES,
    word::SCOPES + 1,
];
const LEASE_NS: u64 = 1_000;
/// A beat of the run before, long past its lease at `NOW`.
const OLD: u64 = 10_000;
const NOW: u64 = 90_000;

/// What a model does wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plant {
    Nothing,
    RelaxedStores,
    RelaxedLoads,
    /// The state is loaded before everything else, as readers once did.
    StateFirst,
    /// Compare and exchange by a load and a store.
    SplitSwap,
    /// The word is cleared whatever it is.
    PlainClear,
    /// Whoever halts by hand leaves a word as it is that is there already.
    SetIfFree,
}

#[derive(Clone)]
struct Model {
    words: Arc<Vec<AtomicU64>>,
    plant: Plant,
    early_state: Option<u64>,
}

impl Model {
    /// A page that was open when its guard beat last, and that guard's writer.
    fn open(plant: Plant, beat_ns: u64) -> (Self, PageWriter<Self>) {
        let words = Arc::new(SHARED.iter().map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        let page = Self {
            words,
            plant,
            early_state: None,
        };
        page.store(word::MAGIC, MAGIC);
        page.store(word::LAYOUT, LAYOUT);
        let mut writer = PageWriter::begin(page.clone(), LEASE_NS, 1);
        writer.set_state(active(), "");
        for ago in [2, 1, 0] {
            writer.beat(beat_ns - ago);
        }
        (page, writer)
    }

    fn word(&self, index: usize) -> Option<&AtomicU64> {
        let place = SHARED.iter().position(|shared| *shared == index)?;
        self.words.get(place)
    }

    /// Stores the manual word. Loom orders a plain store and an exchange that run beside each other in no way, and
    /// lets a load after both find either; a word has one order of its values, which an exchange here makes loom keep.
    fn set_by_hand(&self, value: u64) {
        if let Some(word) = self.word(word::MANUAL) {
            word.swap(value, Ordering::AcqRel);
        }
    }

    /// One whole check by a reader of its own.
    fn check(&self, latch: &mut Latch) -> Code {
        let mut page = self.clone();
        if self.plant == Plant::StateFirst {
            page.early_state = Some(self.load(word::STATE));
        }
        judge(&page, latch, NOW, || NOW)
    }
}

impl Words for Model {
    fn load(&self, index: usize) -> u64 {
        if let (Some(state), word::STATE) = (self.early_state, index) {
            return state;
        }
        let order = match self.plant {
            Plant::RelaxedLoads => Ordering::Relaxed,
            _ => Ordering::Acquire,
        };
        self.word(index).map_or(0, |word| word.load(order))
    }

    fn store(&self, index: usize, value: u64) {
        let order = match self.plant {
            Plant::RelaxedStores => Ordering::Relaxed,
            _ => Ordering::Release,
        };
        if let Some(word) = self.word(index) {
            word.store(value, order);
        }
    }

    fn swap_if(&self, index: usize, seen: u64, value: u64) -> bool {
        let Some(word) = self.word(index) else {
            return false;
        };
        if self.plant == Plant::SplitSwap {
            let is_seen = word.load(Ordering::Acquire) == seen;
            if is_seen {
                word.store(value, Ordering::Release);
            }
            return is_seen;
        }
        if self.plant == Plant::PlainClear {
            word.store(value, Ordering::Release);
            return true;
        }
        word.compare_exchange(seen, value, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

fn active() -> StateWord {
    StateWord {
        state: 2,
        ..StateWord::default()
    }
}

fn halted() -> StateWord {
    StateWord {
        state: 4,
        ..StateWord::default()
    }
}

/// Runs a claim in every order with at most three switches of thread that neither waited for.
fn check(claim: fn(Plant), plant: Plant) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || claim(plant));
}

/// The claim holds in every order, and loom finds each planted mistake.
fn holds_but_for(claim: fn(Plant), plants: &[Plant]) {
    check(claim, Plant::Nothing);
    for plant in plants.iter().copied() {
        let found = catch_unwind(AssertUnwindSafe(|| check(claim, plant)));
        assert!(found.is_err(), "a planted mistake was not found");
    }
}

/// P1: whoever reads HALTED reads that halt's id, and so can let go of it at its resume.
#[test]
fn halted_comes_with_its_id() {
    fn claim(plant: Plant) {
        let (page, writer) = Model::open(plant, NOW);
        let guard = thread::spawn(move || writer.set_state(halted(), "H1"));
        let mut latch = Latch::default();
        let code = page.check(&mut latch);
        assert!(matches!(code, Code::Open | Code::Halted));
        assert_ne!(latch.halt, HALT_UNNAMED);
        guard.join().unwrap();
        assert_eq!(page.check(&mut latch), Code::Halted);
        assert_eq!(latch.halt, hash_word("H1"));
    }
    holds_but_for(claim, &[Plant::RelaxedStores, Plant::RelaxedLoads]);
}

/// P3: after a gap no reader takes the new stamp together with the streak of before it.
#[test]
fn first_beat_after_a_gap_opens_nothing() {
    fn claim(plant: Plant) {
        let (page, mut writer) = Model::open(plant, OLD);
        let guard = thread::spawn(move || writer.beat(NOW));
        assert_eq!(page.check(&mut Latch::default()), Code::Stale);
        guard.join().unwrap();
    }
    holds_but_for(claim, &[Plant::RelaxedStores, Plant::RelaxedLoads]);
}

/// P4: a run that is STARTING opens nothing, whatever the run before it said and wherever a reader stops.
#[test]
fn beats_of_the_next_run_do_not_revive_the_last_ones_state() {
    fn claim(plant: Plant) {
        let (page, _dead) = Model::open(plant, OLD);
        let writing = page.clone();
        let guard = thread::spawn(move || {
            let mut next = PageWriter::begin(writing, LEASE_NS, 2);
            for ago in [2, 1, 0] {
                next.beat(NOW - ago);
            }
        });
        let code = page.check(&mut Latch::default());
        assert!(matches!(code, Code::Stale | Code::Starting), "{code:?}");
        guard.join().unwrap();
        assert_eq!(page.check(&mut Latch::default()), Code::Starting);
    }
    holds_but_for(
        claim,
        &[Plant::RelaxedStores, Plant::RelaxedLoads, Plant::StateFirst],
    );
}

/// A scope is never seen without the state that was stored for it.
#[test]
fn scope_comes_with_its_state() {
    fn claim(plant: Plant) {
        let (page, mut writer) = Model::open(plant, NOW);
        let guard = thread::spawn(move || writer.set_scope("symbol:EURUSD", halted()));
        let seen = judge_scope(&page, hash_word("symbol:EURUSD"));
        assert!(seen.is_none_or(|state| state == halted()));
        guard.join().unwrap();
    }
    holds_but_for(claim, &[Plant::RelaxedStores, Plant::RelaxedLoads]);
}

/// P6, P7: a resume clears the manual halt that it was about, and never one that came meanwhile: at every
/// moment of it another person may store a word, and whoever looks afterwards is closed.
#[test]
fn manual_halt_that_comes_between_stands() {
    fn claim(plant: Plant) {
        let (page, mut writer) = Model::open(plant, NOW);
        page.store(word::MANUAL, 1);
        let mut latch = Latch::default();
        assert_eq!(page.check(&mut latch), Code::Halted);
        let by_hand = page.clone();
        let operator = thread::spawn(move || {
            if plant != Plant::SetIfFree || by_hand.load(word::MANUAL) == 0 {
                by_hand.set_by_hand(2);
            }
        });
        if writer.clear_manual(1) {
            writer.push_resumed(1);
            writer.set_state(active(), "");
        }
        operator.join().unwrap();
        assert_eq!(page.check(&mut latch), Code::Halted);
        assert_eq!(page.check(&mut Latch::default()), Code::Halted);
        assert_eq!(latch.manual, 2);
    }
    holds_but_for(
        claim,
        &[Plant::SplitSwap, Plant::PlainClear, Plant::SetIfFree],
    );
}
