//! The gate in Rust, and the tick within which a check leaves the exact clock alone.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use edgeguard_core::gate::{Gate, Scope, host_boot_id};
use edgeguard_core::page::{
    Clock, Code, HostClock, MAGIC, Map, PageReader, PageWriter, StateWord, TICK_NS_MAX, Tick,
    Words, hash_word, word,
};

const LEASE_NS: u64 = 1_000_000_000;
const BOOT: [u8; 16] = *b"0123456789abcdef";
static NEXT: AtomicU32 = AtomicU32::new(0);

/// An exact clock that counts who asks, and two coarse ones that stand still until told.
struct Clocks {
    boot_ns: Cell<u64>,
    monotonic: Cell<i64>,
    wall: Cell<i64>,
    asked: Cell<u32>,
}

impl Clock for &Clocks {
    fn boot_ns(&self) -> u64 {
        self.asked.set(self.asked.get() + 1);
        self.boot_ns.get()
    }

    fn tick(&self) -> Option<Tick> {
        Some(Tick::new((self.monotonic.get(), 0), (self.wall.get(), 0)))
    }
}

/// An open page in a directory of its own.
struct Rig {
    folder: PathBuf,
    clocks: Clocks,
    writer: PageWriter,
}

impl Rig {
    fn new(boot_id: [u8; 16]) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("edgeguard-gate-test-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let path = folder.join("halt.A");
        let (writer, _) = PageWriter::claim(&path, "A", boot_id, LEASE_NS, 7).unwrap();
        let clocks = Clocks {
            boot_ns: Cell::new(HostClock::new().boot_ns()),
            monotonic: Cell::new(1),
            wall: Cell::new(1),
            asked: Cell::new(0),
        };
        let mut rig = Self {
            folder,
            clocks,
            writer,
        };
        rig.writer.set_state(state(2), "");
        rig.beat();
        rig
    }

    fn beat(&mut self) {
        for _ in 0..3 {
            self.writer.beat(self.clocks.boot_ns.get());
        }
    }

    fn reader(&self) -> PageReader {
        PageReader::new(&self.folder.join("halt.A"), "A", BOOT)
    }

    fn pass(&self, ns: u64) {
        self.clocks.boot_ns.set(self.clocks.boot_ns.get() + ns);
    }

    fn asked(&self) -> u32 {
        self.clocks.asked.take()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn state(byte: u8) -> StateWord {
    StateWord {
        state: byte,
        ..StateWord::default()
    }
}

/// Within a tick the exact clock is read once; a new tick, and a jump of the wall clock alone, which is
/// what a suspend leaves behind, have it read again.
#[test]
fn exact_clock_is_read_once_a_tick() {
    let rig = Rig::new(BOOT);
    let (clocks, mut reader) = (&rig.clocks, rig.reader());
    assert_eq!(reader.check(&clocks), Code::Open);
    assert_eq!(rig.asked(), 1);
    assert_eq!(reader.check(&clocks), Code::Open);
    assert_eq!(rig.asked(), 0);
    clocks.monotonic.set(2);
    assert_eq!(reader.check(&clocks), Code::Open);
    assert_eq!(rig.asked(), 1);
    clocks.wall.set(90);
    rig.pass(90_000_000_000);
    assert_eq!(reader.check(&clocks), Code::Stale);
}

/// P3: with less than the longest tick left, each check is exact, so the lease ends when it ends.
#[test]
fn last_part_of_a_lease_is_judged_exactly() {
    let rig = Rig::new(BOOT);
    let (clocks, mut reader) = (&rig.clocks, rig.reader());
    rig.pass(LEASE_NS - TICK_NS_MAX);
    for _ in 0..3 {
        assert_eq!(reader.check(&clocks), Code::Open);
        assert_eq!(rig.asked(), 1);
    }
    rig.pass(TICK_NS_MAX - 1);
    assert_eq!(reader.check(&clocks), Code::Open);
    rig.pass(1);
    assert_eq!(reader.check(&clocks), Code::Stale);
}

/// H10: whatever closes does so at the next check, within the tick of the last permit too.
#[test]
fn every_word_closes_within_a_tick() {
    for (index, value) in [
        (word::MAGIC, 0),
        (word::LAYOUT, 2),
        (word::LEASE, 0),
        (word::STREAK, 2),
        (word::BEAT, 0),
        (word::BEAT, u64::MAX),
        (word::STATE, state(3).pack()),
        (word::STATE, state(4).pack()),
        (word::MANUAL, 1),
    ] {
        let rig = Rig::new(BOOT);
        let (clocks, mut reader) = (&rig.clocks, rig.reader());
        assert_eq!(reader.check(&clocks), Code::Open);
        let map = Map::open(&rig.folder.join("halt.A"), true).unwrap();
        map.store(index, value);
        assert_ne!(reader.check(&clocks), Code::Open, "word {index} = {value}");
        if index == word::MAGIC {
            map.store(index, MAGIC);
            assert_eq!(reader.check(&clocks), Code::Open);
        }
    }
}

/// P1: a halt between two checks of one tick is latched, and the permit of before it is forgotten.
#[test]
fn halt_and_resume_within_a_tick() {
    let mut rig = Rig::new(BOOT);
    let mut reader = rig.reader();
    assert_eq!(reader.check(&&rig.clocks), Code::Open);
    rig.writer.set_state(state(4), "H1");
    assert_eq!(reader.check(&&rig.clocks), Code::Halted);
    rig.writer.set_state(state(2), "");
    assert_eq!(reader.check(&&rig.clocks), Code::Halted);
    rig.writer.push_resumed(hash_word("H1"));
    assert_eq!(reader.check(&&rig.clocks), Code::Open);
}

/// Scopes are judged one by one, with the host's own clocks, however many are asked for.
#[test]
fn gate_judges_scopes() {
    let mut rig = Rig::new(host_boot_id());
    let (gold, trend, other) = (
        Scope::symbol("XAUUSD"),
        Scope::strategy("trend"),
        Scope::symbol("EURUSD"),
    );
    let mut gate = Gate::new(&rig.folder, "A");
    assert!(gate.check_scopes(&[]).is_ok());
    assert!(gate.check_scopes(&[gold, trend, other]).is_ok());
    rig.writer.set_scope("symbol:XAUUSD", state(3));
    assert_eq!(gate.check_scopes(&[gold]).unwrap_err().code, Code::Scope);
    assert_eq!(gate.code_of(&[trend, gold]), Code::Scope);
    assert_eq!(gate.code_of(&[other, trend, gold]), Code::Scope);
    assert_eq!(gate.code_of(&[other]), Code::Open);
}

/// The public gate answers with a permit, or with a refusal and its sentence.
#[test]
fn gate_answers_with_permit_or_reason() {
    let rig = Rig::new(host_boot_id());
    for clock in [HostClock::new(), HostClock::exact()] {
        let path = rig.folder.join("halt.A");
        let mut gate = Gate::with_clock(&path, "A", host_boot_id(), clock);
        assert!(gate.check().is_ok());
    }
    let mut gate = Gate::new(&rig.folder, "A");
    rig.writer.set_state(state(4), "H1");
    let refusal = gate.check().unwrap_err();
    assert_eq!(refusal.code, Code::Halted);
    assert!(refusal.to_string().starts_with("HALTED: "));
    assert!(refusal.to_string().ends_with(": H1"), "{refusal}");
    let missing = Gate::new(rig.folder.join("elsewhere"), "A")
        .check()
        .unwrap_err();
    assert_eq!(missing.code, Code::Missing);
    assert!(missing.to_string().contains("halt.A"), "{missing}");
}
