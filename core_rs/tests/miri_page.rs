//! The page's writer and reader on plain memory, which is what Miri can watch (`make miri`).
//!
//! Miri has no shared mappings of files, so `page/map.rs` itself, the one file with `unsafe`, is run by
//! `tests/page.rs` on real ones. Here Miri looks for races and for loads of values that were never stored,
//! with its own weak memory, over whole histories instead of loom's few steps.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use edgeguard_core::page::{
    Code, HALT_UNNAMED, LAYOUT, Latch, MAGIC, PAGE_WORDS, PageWriter, StateWord, Words, hash_word,
    judge, judge_scope, word,
};

/// A page in this process's memory.
#[derive(Clone)]
struct Memory(Arc<Vec<AtomicU64>>);

impl Memory {
    fn new() -> Self {
        let page = Self(Arc::new(
            (0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect(),
        ));
        page.store(word::MAGIC, MAGIC);
        page.store(word::LAYOUT, LAYOUT);
        page
    }
}

impl Words for Memory {
    fn load(&self, index: usize) -> u64 {
        self.0
            .get(index)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn store(&self, index: usize, value: u64) {
        if let Some(word) = self.0.get(index) {
            word.store(value, Ordering::Release);
        }
    }

    fn swap_if(&self, index: usize, seen: u64, value: u64) -> bool {
        self.0.get(index).is_some_and(|word| {
            word.compare_exchange(seen, value, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        })
    }
}

const fn state(byte: u8, state_seq: u32) -> StateWord {
    StateWord {
        state: byte,
        severity: 0,
        flatten: 0,
        flags: 0,
        state_seq,
    }
}

/// P1, P4: readers beside a writer that halts, resumes and starts anew never open without a cause, and
/// hold the halt that they saw until its own resume.
#[test]
fn readers_beside_a_writer_see_a_history_that_was() {
    let page = Memory::new();
    let is_done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (page, is_done) = (page.clone(), Arc::clone(&is_done));
            std::thread::spawn(move || {
                let mut latch = Latch::default();
                while !is_done.load(Ordering::Acquire) {
                    let code = judge(&page, &mut latch, 1_000, || 1_000);
                    assert!(
                        matches!(
                            code,
                            Code::Open | Code::Halted | Code::Starting | Code::Stale
                        ),
                        "{code:?}"
                    );
                    assert_ne!(latch.halt, HALT_UNNAMED);
                    assert_eq!(code == Code::Halted, latch.halt != 0);
                    let scope = judge_scope(&page, hash_word("symbol:EURUSD"));
                    // Paused, or nothing at all while a next run empties its table: never active.
                    assert!(scope.is_none_or(|scope| scope.state != 2));
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    for run in 1..4_u32 {
        let mut writer = PageWriter::begin(page.clone(), 500, u64::from(run));
        writer.set_scope("symbol:EURUSD", state(3, run));
        writer.set_state(state(2, 1), "");
        for beat in 0..4 {
            writer.beat(900 + beat);
        }
        let halt = format!("H{run}");
        writer.set_state(state(4, 2), &halt);
        writer.push_resumed(hash_word(&halt));
        writer.set_state(state(2, 3), "");
        std::thread::yield_now();
    }
    is_done.store(true, Ordering::Release);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(
        judge(&page, &mut Latch::default(), 1_000, || 1_000),
        Code::Open
    );
}
