//! The printed table of a campaign.

use std::fmt::Write as _;
use std::time::Duration;

use crate::campaign::{Catch, Total};
use crate::faults::Fault;

const MS: i64 = 1_000_000;
const HOUR_NS: i128 = 3_600_000_000_000;
const SHOWN_MAX: usize = 20;

/// Returns the figures of the seeds.
pub fn seeds(total: &Total, spent: Duration, threads: u64) -> String {
    let mut out = String::new();
    let per_minute = total.seeds as f64 * 60e9 / (total.core_ns as f64).max(1.0);
    let wall = format!(
        "{:.1} s of wall time on {threads} threads",
        spent.as_secs_f64()
    );
    let hours = total.virtual_ns as f64 / HOUR_NS as f64;
    let rows = [
        ("seeds", total.seeds.to_string()),
        (
            "seeds per minute of a core",
            format!("{per_minute:.0} ({wall})"),
        ),
        ("virtual hours", format!("{hours:.1}")),
        ("gate answers judged", total.answers.to_string()),
        (
            "slowest trip -> closed",
            format!("{} ms (bound 1100)", total.slowest_close / MS),
        ),
        (
            "distinct (state, fault) pairs",
            format!("{} of {}", total.pairs_met(), 5 * Fault::ALL.len()),
        ),
        (
            "gates only a restart could open",
            total.stuck_gates.to_string(),
        ),
        ("violations", total.broken.len().to_string()),
    ];
    for (name, value) in rows {
        let _ = writeln!(out, "{name:<32} {value}");
    }
    let _ = writeln!(out, "\nfault firings");
    for (fault, count) in Fault::ALL.iter().zip(&total.fired) {
        let _ = writeln!(out, "  {:<46} {count}", fault.name());
    }
    for (seed, broken) in total.broken.iter().take(SHOWN_MAX) {
        let _ = writeln!(
            out,
            "VIOLATION seed {seed} {} at {} ms: {}",
            broken.promise,
            broken.at / MS,
            broken.text
        );
    }
    for name in total.idle() {
        let _ = writeln!(out, "IDLE the fault {name:?} never took effect");
    }
    out
}

/// Returns the figures of the planted bugs.
pub fn plants(caught: &[Catch]) -> String {
    let mut out = String::new();
    let found = caught.iter().filter(|one| one.median().is_some()).count();
    let _ = writeln!(
        out,
        "\nplanted bugs found {found} of {}; median seeds to find (each start)",
        caught.len()
    );
    for one in caught {
        let median = one
            .median()
            .map_or("-".to_owned(), |seeds| seeds.to_string());
        let tries: Vec<String> = one
            .tries
            .iter()
            .map(|seeds| seeds.map_or("-".to_owned(), |seeds| seeds.to_string()))
            .collect();
        let _ = writeln!(
            out,
            "  {:<60} {:<8} {median:>6}  ({})",
            one.plant.name(),
            one.promise,
            tries.join(" ")
        );
    }
    out
}
