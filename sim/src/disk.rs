//! The guard's disk: two slots of a file and a row of a database, with what is synced and what is not.

use std::rc::Rc;

use edgeguard_core::latch_rules::Place;
use edgeguard_core::start::{LatchRecord, Remembered};

use crate::rng::Rng;

/// What a place holds.
#[derive(Clone, Debug, Default)]
pub enum Content {
    #[default]
    Empty,
    Record(Rc<LatchRecord>),
    Torn,
}

impl Content {
    fn record(&self) -> Option<&LatchRecord> {
        match self {
            Self::Record(record) => Some(record),
            Self::Empty | Self::Torn => None,
        }
    }
}

/// A place on disk: what a reader sees now, and what power loss leaves.
#[derive(Clone, Debug, Default)]
struct Spot {
    seen: Content,
    synced: Content,
    is_dirty: bool,
}

impl Spot {
    fn write(&mut self, record: &Rc<LatchRecord>) {
        self.seen = Content::Record(record.clone());
        self.is_dirty = true;
    }

    fn sync(&mut self) {
        self.synced = self.seen.clone();
        self.is_dirty = false;
    }

    /// Unsynced data is there, is not, or, where a write is not atomic, is torn.
    fn cut(&mut self, rng: &mut Rng, may_tear: bool) -> bool {
        let mut is_torn = false;
        if self.is_dirty {
            match rng.range(0, if may_tear { 3 } else { 2 }) {
                0 => {}
                1 => self.synced = self.seen.clone(),
                _ => {
                    self.synced = Content::Torn;
                    is_torn = true;
                }
            }
        }
        self.seen = self.synced.clone();
        self.is_dirty = false;
        is_torn
    }
}

/// Everything that the guard has on disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    slots: [Spot; 2],
    row: Spot,
    /// Identity of the HALT file, `None` where there is none.
    pub halt_file: Option<u64>,
    /// The engine's references.
    pub references: Option<Rc<Vec<u8>>>,
}

impl Disk {
    fn spot(&mut self, place: Place, number: i64) -> &mut Spot {
        match place {
            Place::File => &mut self.slots[(number % 2) as usize],
            Place::Row => &mut self.row,
        }
    }

    /// A write begins: readers may see it, power loss may lose it.
    pub fn begin(&mut self, place: Place, record: &Rc<LatchRecord>) {
        if place == Place::File {
            self.spot(place, record.number).write(record);
        }
    }

    /// A write is on disk.
    pub fn finish(&mut self, place: Place, record: &Rc<LatchRecord>) {
        let spot = self.spot(place, record.number);
        spot.write(record);
        spot.sync();
    }

    /// A write failed: what is on disk is anybody's guess, what readers see may be the new.
    pub fn fail(&mut self, place: Place, record: &Rc<LatchRecord>, rng: &mut Rng) {
        let spot = self.spot(place, record.number);
        let before = spot.seen.clone();
        spot.write(record);
        match rng.range(0, 3) {
            0 => spot.sync(),
            1 => spot.is_dirty = false,
            _ => {
                spot.synced = if place == Place::File {
                    Content::Torn
                } else {
                    before.clone()
                }
            }
        }
        if place == Place::Row && rng.chance(700) {
            spot.seen = before;
        }
        spot.is_dirty = false;
    }

    /// Power is lost; returns whether a write was torn.
    pub fn cut(&mut self, rng: &mut Rng, may_tear: bool) -> bool {
        let mut is_torn = false;
        for slot in &mut self.slots {
            is_torn |= slot.cut(rng, may_tear);
        }
        self.row.cut(rng, false);
        is_torn
    }

    /// What a start reads.
    pub fn read(&self) -> Remembered {
        let mut found = Remembered::default();
        for slot in &self.slots {
            match &slot.seen {
                Content::Empty => {}
                Content::Torn => found.faults.push("a slot was torn".to_owned()),
                Content::Record(record) => {
                    let known = found.file.as_ref().map_or(i64::MIN, |known| known.number);
                    if record.number >= known {
                        found.file = Some((**record).clone());
                    }
                }
            }
        }
        if !found.faults.is_empty() {
            // The reader gives up on a file with a slot that is no record.
            found.file = None;
        }
        if let Content::Record(record) = &self.row.seen {
            found.row = Some((**record).clone());
        }
        found
    }

    /// Returns the newest synced record of each copy.
    pub fn synced(&self) -> (Option<&LatchRecord>, Option<&LatchRecord>) {
        let file = self.slots.iter().filter_map(|slot| slot.synced.record());
        (
            file.max_by_key(|record| record.number),
            self.row.synced.record(),
        )
    }
}
