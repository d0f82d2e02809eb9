//! The two writers' threads: a file that takes the newest record that waits, a row in group commits.

use std::rc::Rc;

use edgeguard_core::latch_rules::{Place, Told};
use edgeguard_core::start::LatchRecord;
use edgeguard_core::trading_state::{ACCOUNT, Action, Pause};

use super::{Guard, Turn};
use crate::faults::Fault;
use crate::plants::Plant;
use crate::world::{Event, MS, World};

/// Records on their way to disk.
#[derive(Debug, Default)]
pub(super) struct Writers {
    file: Option<Rc<LatchRecord>>,
    file_waits: Option<Rc<LatchRecord>>,
    row: Vec<Rc<LatchRecord>>,
    row_waits: Vec<Rc<LatchRecord>>,
    row_since_ns: i64,
    file_fault: bool,
    row_fault: bool,
}

impl Writers {
    pub(super) const fn has_fault(&self) -> bool {
        self.file_fault || self.row_fault
    }

    /// Returns when the journal's writer last made progress: it polls while it is idle.
    pub(super) const fn progress_ns(&self, boot_ns: i64) -> i64 {
        if self.row.is_empty() {
            boot_ns
        } else {
            self.row_since_ns
        }
    }

    pub(super) fn put(&mut self, record: &Rc<LatchRecord>) {
        self.file_waits = Some(record.clone());
        self.row_waits.push(record.clone());
    }
}

impl World {
    /// Starts the writes for which a thread is free; a disk that hangs takes none.
    pub(super) fn start_writes(&mut self, guard: &mut Guard) {
        if guard.writers.file.is_none()
            && let Some(record) = guard.writers.file_waits.take()
        {
            self.disk.begin(Place::File, &record);
            guard.writers.file = Some(record);
            self.start_write(guard.pid, Place::File);
        }
        if guard.writers.row.is_empty() && !guard.writers.row_waits.is_empty() {
            guard.writers.row = std::mem::take(&mut guard.writers.row_waits);
            guard.writers.row_since_ns = self.now().boot_ns;
            self.start_write(guard.pid, Place::Row);
        }
    }

    fn start_write(&mut self, pid: u32, place: Place) {
        if self.disk_hung {
            self.fire(Fault::DiskHung);
            return;
        }
        let mut delay = self.rng.range(MS / 5, 5 * MS);
        if self.disk_slow > 0 {
            self.fire(Fault::DiskSlow);
            delay += self.disk_slow;
        }
        self.at(delay, Event::Written(pid, place));
    }

    /// The disk answers again: what hung goes on.
    pub fn resume_disk(&mut self) {
        let Some(guard) = &self.guard else { return };
        let (pid, file, row) = (
            guard.pid,
            guard.writers.file.is_some(),
            !guard.writers.row.is_empty(),
        );
        for (place, is_busy) in [(Place::File, file), (Place::Row, row)] {
            if is_busy {
                self.at(self.t % MS, Event::Written(pid, place));
            }
        }
    }

    /// A write ended; its thread goes on while the process is stopped no more than the loop does.
    pub fn guard_written(&mut self, pid: u32, place: Place) {
        if self.disk_hung {
            return;
        }
        if let Some(guard) = &self.guard
            && guard.stopped_until > self.t
        {
            self.at(guard.stopped_until - self.t, Event::Written(pid, place));
            return;
        }
        self.with_guard(|world, guard| {
            if guard.pid == pid {
                world.on_written(guard, place)
            } else {
                Ok(())
            }
        });
    }

    fn on_written(&mut self, guard: &mut Guard, place: Place) -> Turn {
        let records = match place {
            Place::File => guard.writers.file.take().into_iter().collect(),
            Place::Row => std::mem::take(&mut guard.writers.row),
        };
        let Some(last) = records.last().cloned() else {
            return Ok(());
        };
        let is_refused = place == Place::Row && guard.writers.row_fault;
        let is_good = !self.disk_failing && !is_refused;
        if is_good {
            self.disk.finish(place, &last);
        } else if !is_refused {
            self.fire(Fault::DiskError);
            self.disk.fail(place, &last, &mut self.rng);
        }
        self.start_writes(guard);
        for record in &records {
            self.settle(guard, place, record.number, is_good)?;
        }
        Ok(())
    }

    /// The last writes of a clean end: nobody takes in any more what they mean.
    pub(super) fn flush(&mut self, guard: &mut Guard) {
        if self.disk_hung {
            return;
        }
        for place in [Place::File, Place::Row] {
            let (busy, waits) = match place {
                Place::File => (guard.writers.file.take(), guard.writers.file_waits.take()),
                Place::Row => (
                    std::mem::take(&mut guard.writers.row).pop(),
                    std::mem::take(&mut guard.writers.row_waits).pop(),
                ),
            };
            let Some(last) = waits.or(busy) else { continue };
            let is_refused = place == Place::Row && guard.writers.row_fault;
            if !self.disk_failing && !is_refused {
                self.disk.finish(place, &last);
            } else if !is_refused {
                self.disk.fail(place, &last, &mut self.rng);
                guard.writers.file_fault = true;
            }
        }
    }

    /// As `Guard._settle`: what a finished write means for halts, resumes and the start.
    pub(super) fn settle(
        &mut self,
        guard: &mut Guard,
        place: Place,
        number: i64,
        is_good: bool,
    ) -> Turn {
        let mut told = guard.rules.settle(place, number, is_good);
        if self.planted(Plant::ResumeOnOneCopy) && is_good {
            // One copy is taken for both.
            let other = if place == Place::File {
                Place::Row
            } else {
                Place::File
            };
            let mut rules = guard.rules.clone();
            told.extend(rules.settle(other, number, true));
            guard.rules = rules;
        }
        if !is_good {
            match place {
                Place::File => guard.writers.file_fault = true,
                Place::Row => guard.writers.row_fault = true,
            }
        }
        for one in told {
            self.micro()?;
            match one {
                Told::Durable { halt_id } => {
                    let actions = guard.trading.persisted(&halt_id);
                    self.act(guard, actions)?;
                    self.page_at_last(guard)?;
                }
                Told::Resume {
                    halt_id,
                    is_written,
                } => self.resume_written(guard, &halt_id, is_written)?,
            }
        }
        if guard.rules.both() > 0 {
            let actions = guard.trading.met("storage");
            self.act(guard, actions)?;
        }
        if !is_good {
            let pause = Pause {
                trigger: "storage".to_owned(),
                code: "STORAGE_UNTRUSTED".to_owned(),
                held: true,
                since_ns: self.now().wall_ns,
            };
            let actions = guard.trading.pause(ACCOUNT, "storage", pause);
            let kept = actions
                .into_iter()
                .filter(|action| *action != Action::Persist)
                .collect();
            self.act(guard, kept)?;
        }
        Ok(())
    }
}
