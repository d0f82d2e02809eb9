//! Many seeds on all cores, what they add up to, and the hunt for planted bugs.

use std::thread;

use crate::check::Violation;
use crate::faults::Fault;
use crate::plants::Plant;
use crate::world::{Outcome, run};

/// One seed in so many is run twice: both histories must be the same to the byte.
const TWICE: u64 = 64;

/// What a campaign adds up to.
#[derive(Clone, Debug)]
pub struct Total {
    pub seeds: u64,
    /// Time on a core, of all threads together; 0 where the system does not tell.
    pub core_ns: u64,
    pub virtual_ns: i128,
    pub answers: u64,
    pub stuck_gates: u64,
    pub fired: Vec<u64>,
    pub pairs: [u64; 5],
    pub slowest_close: i64,
    /// Seeds that broke a promise, with what they broke; P10 for a seed that ran in two ways.
    pub broken: Vec<(u64, Violation)>,
}

impl Default for Total {
    fn default() -> Self {
        Self {
            seeds: 0,
            core_ns: 0,
            virtual_ns: 0,
            answers: 0,
            stuck_gates: 0,
            fired: vec![0; Fault::ALL.len()],
            pairs: [0; 5],
            slowest_close: 0,
            broken: Vec::new(),
        }
    }
}

impl Total {
    fn take(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.virtual_ns += i128::from(outcome.virtual_ns);
        self.answers += outcome.answers;
        self.stuck_gates += outcome.stuck_gates;
        self.slowest_close = self.slowest_close.max(outcome.slowest_close);
        for (sum, count) in self.fired.iter_mut().zip(outcome.fired) {
            *sum += u64::from(count);
        }
        for (all, some) in self.pairs.iter_mut().zip(outcome.pairs) {
            *all |= some;
        }
        if let Some(violation) = outcome.violation {
            self.broken.push((seed, violation));
        } else if seed.is_multiple_of(TWICE) && run(seed, None).digest != outcome.digest {
            let text = "the same seed gave another history".to_owned();
            self.broken.push((
                seed,
                Violation {
                    promise: "P10",
                    at: 0,
                    text,
                },
            ));
        }
    }

    fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.core_ns += other.core_ns;
        self.virtual_ns += other.virtual_ns;
        self.answers += other.answers;
        self.stuck_gates += other.stuck_gates;
        self.slowest_close = self.slowest_close.max(other.slowest_close);
        for (sum, count) in self.fired.iter_mut().zip(other.fired) {
            *sum += count;
        }
        for (all, some) in self.pairs.iter_mut().zip(other.pairs) {
            *all |= some;
        }
        self.broken.extend(other.broken);
        self.broken.sort_by_key(|(seed, _)| *seed);
    }

    /// Returns the faults that never took effect: a campaign that has any proves too little.
    pub fn idle(&self) -> Vec<&'static str> {
        let counts = Fault::ALL.iter().zip(&self.fired);
        counts
            .filter(|(_, count)| **count == 0)
            .map(|(fault, _)| fault.name())
            .collect()
    }

    /// Returns how many pairs of a guard's state and a fault were met.
    pub fn pairs_met(&self) -> u32 {
        self.pairs.iter().map(|faults| faults.count_ones()).sum()
    }
}

/// Returns how long this thread has been on a core.
fn core_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

/// Runs `count` seeds from `first` on.
#[must_use]
pub fn run_seeds(first: u64, count: u64, threads: u64) -> Total {
    let mut total = Total::default();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                scope.spawn(move || {
                    let mut sum = Total::default();
                    let begun = core_ns();
                    for seed in (first..first + count).filter(|seed| seed % threads == part) {
                        sum.take(seed, run(seed, None));
                    }
                    sum.core_ns = core_ns().saturating_sub(begun);
                    sum
                })
            })
            .collect();
        for part in parts {
            match part.join() {
                Ok(sum) => total.join(sum),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    total
}

/// What the hunt for one planted bug gave.
#[derive(Clone, Debug)]
pub struct Catch {
    pub plant: Plant,
    /// Seeds until it was found, from each of several starts; `None` where it was not.
    pub tries: Vec<Option<u64>>,
    pub promise: &'static str,
}

impl Catch {
    /// Returns the median of the seeds to find it, `None` unless every start found it.
    pub fn median(&self) -> Option<u64> {
        let mut found: Vec<u64> = self.tries.iter().copied().collect::<Option<_>>()?;
        found.sort_unstable();
        found.get(found.len() / 2).copied()
    }
}

/// Hunts every planted bug from several starts, for at most `limit` seeds each.
#[must_use]
pub fn hunt(starts: u64, limit: u64, threads: usize) -> Vec<Catch> {
    let mut caught = Vec::new();
    thread::scope(|scope| {
        let chunk = Plant::ALL.len().div_ceil(threads.max(1));
        let parts: Vec<_> = Plant::ALL
            .chunks(chunk)
            .map(|plants| {
                scope.spawn(move || {
                    plants
                        .iter()
                        .map(|one| hunt_one(*one, starts, limit))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for part in parts {
            match part.join() {
                Ok(found) => caught.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    caught
}

fn hunt_one(plant: Plant, starts: u64, limit: u64) -> Catch {
    let mut promise = "";
    let tries = (0..starts).map(|start| {
        (0..limit).find_map(|number| {
            let violation = run(start * 1_000_000 + number, Some(plant)).violation?;
            promise = violation.promise;
            Some(number + 1)
        })
    });
    let tries = tries.collect();
    Catch {
        plant,
        tries,
        promise,
    }
}
