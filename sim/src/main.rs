//! Runs a campaign and prints its table: `[--seeds N] [--first N] [--threads N] [--plants STARTS]`, or
//! tells what happened in one seed: `--story SEED [--plant INDEX]`.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Instant;

use edgeguard_sim::campaign::{hunt, run_seeds};
use edgeguard_sim::plants::Plant;
use edgeguard_sim::report;
use edgeguard_sim::world::story;

/// Seeds after which a planted bug counts as not found.
const HUNT_MAX: u64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|one| one == name)?;
        arguments
            .get(at.saturating_add(1))?
            .parse()
            .ok()
            .or(Some(default))
    };
    if let Some(seed) = number("--story", 0) {
        let plant = number("--plant", 0)
            .and_then(|at| Plant::ALL.get(usize::try_from(at).ok()?))
            .copied();
        let text = story(seed, plant).join("\n") + "\n";
        return if stdout().write_all(text.as_bytes()).is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u64::try_from(cores.get()).unwrap_or(1));
    let count = number("--seeds", 10_000).unwrap_or(10_000);
    let first = number("--first", 0).unwrap_or(0);
    let threads = number("--threads", cores).unwrap_or(cores).max(1);
    let starts = number("--plants", 3).unwrap_or(3);
    let begun = Instant::now();
    let total = run_seeds(first, count, threads);
    let mut text = report::seeds(&total, begun.elapsed(), threads);
    let mut is_good = total.broken.is_empty() && total.idle().is_empty();
    if starts > 0 {
        let caught = hunt(starts, HUNT_MAX, usize::try_from(threads).unwrap_or(1));
        is_good &= caught.iter().all(|one| one.median().is_some());
        text += &report::plants(&caught);
    }
    let is_written = stdout().write_all(text.as_bytes()).is_ok();
    if is_good && is_written {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
