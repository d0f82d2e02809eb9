//! The halt page on a real file: what opens a gate, and everything that must not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use edgeguard_core::page::{
    Code, LAYOUT, MAGIC, Map, PageReader, PageWriter, StateWord, Words, hash_word, word,
};

const BOOT: [u8; 16] = *b"0123456789abcdef";
const LEASE_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory of its own on shared memory, removed at the end, and a clock that stands still.
struct Rig {
    folder: PathBuf,
    now_ns: Cell<u64>,
}

impl Rig {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("edgeguard-page-test-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self {
            folder,
            now_ns: Cell::new(5_000_000_000),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("halt.A")
    }

    fn claim(&self) -> PageWriter {
        PageWriter::claim(&self.path(), "A", BOOT, LEASE_NS, 7)
            .unwrap()
            .0
    }

    fn reader(&self) -> PageReader {
        PageReader::new(&self.path(), "A", BOOT)
    }

    fn check(&self, reader: &mut PageReader) -> Code {
        reader.check(&|| self.now_ns.get())
    }

    /// Beats as often as a page needs to be trusted, 100 ms apart.
    fn beat(&self, writer: &mut PageWriter) {
        for _ in 0..3 {
            self.pass(100 * MS);
            writer.beat(self.now_ns.get());
        }
    }

    fn pass(&self, ns: u64) {
        self.now_ns.set(self.now_ns.get() + ns);
    }

    /// An open page and a reader that has seen it open.
    fn open(&self) -> (PageWriter, PageReader) {
        let mut writer = self.claim();
        writer.set_state(state(2, 1), "");
        self.beat(&mut writer);
        let mut reader = self.reader();
        assert_eq!(self.check(&mut reader), Code::Open);
        (writer, reader)
    }

    /// Writes one word past the writer, as a hostile process would.
    fn poke(&self, index: usize, value: u64) {
        Map::open(&self.path(), true).unwrap().store(index, value);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn state(byte: u8, state_seq: u32) -> StateWord {
    StateWord {
        state: byte,
        state_seq,
        ..StateWord::default()
    }
}

/// A new page is closed, and only ACTIVE with three fresh beats opens it.
#[test]
fn opens_on_active_and_three_beats_alone() {
    let rig = Rig::new();
    let mut writer = rig.claim();
    let mut reader = rig.reader();
    assert_eq!(rig.check(&mut reader), Code::Stale);
    writer.set_state(state(2, 1), "");
    for expected in [Code::Stale, Code::Stale, Code::Open] {
        rig.pass(100 * MS);
        writer.beat(rig.now_ns.get());
        assert_eq!(rig.check(&mut reader), expected);
    }
    for (byte, expected) in [
        (0, Code::Starting),
        (1, Code::Starting),
        (3, Code::Paused),
        (9, Code::Starting),
    ] {
        writer.set_state(state(byte, 2), "");
        assert_eq!(rig.check(&mut reader), expected);
    }
}

/// P3: without a beat for a lease the page is stale, and one beat after a gap does not open it.
#[test]
fn goes_stale_at_the_lease_and_needs_three_beats_again() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    rig.pass(LEASE_NS - 1);
    assert_eq!(rig.check(&mut reader), Code::Open);
    rig.pass(1);
    assert_eq!(rig.check(&mut reader), Code::Stale);
    writer.beat(rig.now_ns.get());
    assert_eq!(rig.check(&mut reader), Code::Stale);
    rig.beat(&mut writer);
    assert_eq!(rig.check(&mut reader), Code::Open);
}

/// A beat from the future is closed, however it got there; a late clock is asked once more.
#[test]
fn beat_ahead_of_the_clock_is_stale() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    writer.beat(rig.now_ns.get() + 2 * MS);
    assert_eq!(rig.check(&mut reader), Code::Stale);
    let late = Cell::new(rig.now_ns.get());
    let held_up = || {
        let now = late.get();
        late.set(now + 3 * MS);
        now
    };
    assert_eq!(reader.check(&held_up), Code::Open);
}

/// P1: a halt that was seen stays latched until the resume of that very halt.
#[test]
fn halt_is_latched_until_its_own_resume() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    writer.set_state(state(4, 2), "H1");
    assert_eq!(rig.check(&mut reader), Code::Halted);
    writer.set_state(state(2, 3), "");
    assert_eq!(rig.check(&mut reader), Code::Halted);
    writer.push_resumed(hash_word("H2"));
    assert_eq!(rig.check(&mut reader), Code::Halted);
    writer.push_resumed(hash_word("H1"));
    assert_eq!(rig.check(&mut reader), Code::Open);
}

/// The latch outlives the page: a guard that forgot everything does not open this gate.
#[test]
fn latch_survives_loss_and_replacement_of_the_page() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    writer.set_state(state(4, 2), "H1");
    assert_eq!(rig.check(&mut reader), Code::Halted);
    drop(writer);
    fs::remove_file(rig.path()).unwrap();
    rig.pass(10 * MS);
    assert_eq!(rig.check(&mut reader), Code::Halted);
    writer = rig.claim();
    writer.set_state(state(2, 1), "");
    rig.beat(&mut writer);
    assert_eq!(rig.check(&mut reader), Code::Halted);
    assert_eq!(rig.check(&mut rig.reader()), Code::Open);
}

/// The manual word closes whatever the state says, and its own resume alone opens again.
#[test]
fn manual_word_closes_and_is_latched() {
    let rig = Rig::new();
    let (writer, mut reader) = rig.open();
    rig.poke(word::MANUAL, 42);
    assert_eq!(rig.check(&mut reader), Code::Halted);
    assert!(!writer.clear_manual(41), "another manual halt must stand");
    assert!(writer.clear_manual(42));
    assert_eq!(rig.check(&mut reader), Code::Halted);
    let mut writer = writer;
    writer.push_resumed(42);
    assert_eq!(rig.check(&mut reader), Code::Open);
}

/// A second manual word is latched in the first one's place: what lifts it lifts the one before it.
#[test]
fn newest_manual_word_is_the_latched_one() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    rig.poke(word::MANUAL, 42);
    assert_eq!(rig.check(&mut reader), Code::Halted);
    rig.poke(word::MANUAL, 43);
    assert_eq!(rig.check(&mut reader), Code::Halted);
    assert!(!writer.clear_manual(42), "the later halt must stand");
    assert!(writer.clear_manual(43));
    writer.push_resumed(42);
    assert_eq!(rig.check(&mut reader), Code::Halted);
    writer.push_resumed(43);
    assert_eq!(rig.check(&mut reader), Code::Open);
}

/// A page taken over by the next run is closed at once, keeps its file, and tells what it said.
#[test]
fn next_run_takes_the_page_over_closed() {
    let rig = Rig::new();
    let (writer, mut reader) = rig.open();
    drop(writer);
    let (next, found) = PageWriter::claim(&rig.path(), "A", BOOT, LEASE_NS, 8).unwrap();
    let found = found.unwrap();
    assert_eq!((found.state.state, found.epoch, found.manual), (2, 7, 0));
    assert_eq!(rig.check(&mut reader), Code::Stale);
    next.set_state(state(4, 1), "H9");
    drop(next);
    let (_, found) = PageWriter::claim(&rig.path(), "A", BOOT, LEASE_NS, 9).unwrap();
    assert_eq!(found.unwrap().halt_id, "H9");
    assert_eq!(rig.check(&mut reader), Code::Halted);
}

/// A scope's own state closes it alone; seen halted it stays so until the table says active.
#[test]
fn scopes_close_alone_and_are_latched() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    let gold = hash_word("symbol:XAUUSD");
    let clock = || rig.now_ns.get();
    assert_eq!(reader.check_scopes(&clock, &[gold]), Code::Open);
    writer.set_scope("symbol:XAUUSD", state(4, 2));
    assert_eq!(reader.check_scopes(&clock, &[gold]), Code::Scope);
    assert_eq!(
        reader.check_scopes(&clock, &[hash_word("symbol:EURUSD")]),
        Code::Open
    );
    assert_eq!(rig.check(&mut reader), Code::Open);
    writer = rig.claim();
    writer.set_state(state(2, 1), "");
    rig.beat(&mut writer);
    assert_eq!(reader.check_scopes(&clock, &[gold]), Code::Scope);
    writer.set_scope("symbol:XAUUSD", state(2, 2));
    assert_eq!(reader.check_scopes(&clock, &[gold]), Code::Open);
}

/// One scope more than the table holds closes the account.
#[test]
fn full_scope_table_closes_the_account() {
    let rig = Rig::new();
    let (mut writer, mut reader) = rig.open();
    for number in 0..65 {
        writer.set_scope(&format!("symbol:S{number}"), state(3, 2));
    }
    writer.set_state(state(2, 3), "");
    assert_eq!(rig.check(&mut reader), Code::Scope);
}

/// H10: no word of the header and no impossible fact can be changed without closing the gate.
#[test]
fn hostile_words_close() {
    let cases = [
        (word::MAGIC, 0),
        (word::MAGIC, MAGIC ^ 1),
        (word::LAYOUT, LAYOUT + 1),
        (word::LEASE, 0),
        (word::STREAK, 2),
        (word::BEAT, 0),
        (word::BEAT, u64::MAX),
        (word::STATE, 0),
        (word::STATE, u64::MAX),
        (word::MANUAL, u64::MAX),
    ];
    for (index, value) in cases {
        let rig = Rig::new();
        let (_writer, mut reader) = rig.open();
        rig.poke(index, value);
        rig.pass(2 * MS);
        assert_ne!(
            rig.check(&mut reader),
            Code::Open,
            "word {index} = {value:#x}"
        );
    }
    for (index, expected) in [
        (word::BOOT, Code::Missing),
        (word::BOOT + 1, Code::Missing),
        (word::ACCOUNT, Code::WrongAccount),
    ] {
        let rig = Rig::new();
        let (_writer, mut reader) = rig.open();
        rig.poke(index, 99);
        assert_eq!(rig.check(&mut rig.reader()), expected);
        rig.pass(2 * MS);
        assert_eq!(rig.check(&mut reader), expected);
    }
}

/// A lease of centuries holds nothing open for longer than a minute.
#[test]
fn hostile_lease_is_capped() {
    let rig = Rig::new();
    let (_writer, mut reader) = rig.open();
    rig.poke(word::LEASE, u64::MAX);
    rig.pass(59_000 * MS);
    assert_eq!(rig.check(&mut reader), Code::Open);
    rig.pass(1_000 * MS);
    assert_eq!(rig.check(&mut reader), Code::Stale);
}

/// H10: a file that shrinks under the map is closed and raises no SIGBUS within a look's time.
#[test]
fn shrunk_file_is_missing() {
    for size in [0, 1, 4095, 8192] {
        let rig = Rig::new();
        let (_writer, mut reader) = rig.open();
        fs::OpenOptions::new()
            .write(true)
            .open(rig.path())
            .unwrap()
            .set_len(size)
            .unwrap();
        rig.pass(2 * MS);
        assert_eq!(rig.check(&mut reader), Code::Missing, "{size} bytes");
    }
}

/// Whatever is not a private regular file under the very name is no page, and is replaced by one.
#[test]
fn only_a_private_regular_file_is_a_page() {
    fn link(path: &Path) {
        let target = path.with_file_name("elsewhere");
        fs::rename(path, &target).unwrap();
        symlink(&target, path).unwrap();
    }
    fn open_to_all(path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fn other_content(path: &Path) {
        fs::remove_file(path).unwrap();
        fs::write(path, vec![0xff; 4096]).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    for spoil in [link, open_to_all, other_content] {
        let rig = Rig::new();
        let (writer, _reader) = rig.open();
        drop(writer);
        spoil(&rig.path());
        assert_eq!(rig.check(&mut rig.reader()), Code::Missing);
        let (_writer, found) = PageWriter::claim(&rig.path(), "A", BOOT, LEASE_NS, 9).unwrap();
        assert!(found.is_none());
        assert_eq!(rig.check(&mut rig.reader()), Code::Stale);
    }
}

/// A directory in the page's place is an error for the writer and closed for the reader.
#[test]
fn directory_in_its_place_is_refused() {
    let rig = Rig::new();
    fs::create_dir(rig.path()).unwrap();
    assert!(PageWriter::claim(&rig.path(), "A", BOOT, LEASE_NS, 1).is_err());
    assert_eq!(rig.check(&mut rig.reader()), Code::Missing);
}

/// A page of another boot says nothing and is replaced.
#[test]
fn page_of_another_boot_is_missing() {
    let rig = Rig::new();
    let (_writer, _reader) = rig.open();
    let mut other = PageReader::new(&rig.path(), "A", [9; 16]);
    assert_eq!(rig.check(&mut other), Code::Missing);
    let (_, found) = PageWriter::claim(&rig.path(), "A", [9; 16], LEASE_NS, 2).unwrap();
    assert!(found.is_none());
}

/// Readers in another thread see each state whole: no mixture of two states is ever read.
#[test]
fn states_are_never_torn() {
    let rig = Rig::new();
    let (writer, _reader) = rig.open();
    let map = Map::open(&rig.path(), false).unwrap();
    let words: [StateWord; 2] = [
        StateWord {
            state: 2,
            severity: 0,
            flatten: 0,
            flags: 0,
            state_seq: 0,
        },
        StateWord {
            state: 4,
            severity: 255,
            flatten: 255,
            flags: 255,
            state_seq: u32::MAX,
        },
    ];
    writer.set_state(words[0], "");
    let is_whole = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            (0..200_000).all(|_| words.contains(&StateWord::unpack(map.load(word::STATE))))
        });
        for turn in 0..200_000 {
            writer.set_state(words[turn % 2], "");
        }
        reading.join().unwrap()
    });
    assert!(is_whole);
}
