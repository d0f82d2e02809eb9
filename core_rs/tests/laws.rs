//! Laws that hold for every history: more loss never un-trips, the order of simultaneous symbols
//! does not matter, a duplicate never counts twice.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test says in its name what it claims"
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test may stop on what it did not expect"
)]

mod frames;

use edgeguard_core::engine::Flags;
use frames::{Event, Held, engine, error, fill, run, snapshot, status, ticks};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Marks alone decide, at once; the spread never pauses.
const AT_ONCE: &str = r#""confirm":"none","daily_loss":"0.03","total_drawdown":"0.06",
    "drawdown_mode":"static","first_reference":"snapshot","jump_frac":"100",
    "spread_multiple":"1000","price_age_max_s":"604800""#;
/// A broken limit waits for the broker's word.
const CONFIRMED: &str = r#""confirm":"reported","confirm_ms":500,"daily_loss":"0.03",
    "total_drawdown":"0.06","first_reference":"snapshot","jump_frac":"0.02","errors_per_minute":2"#;
/// No loss limit can break.
const WIDE: &str = r#""confirm":"none","daily_loss":"0.9","total_drawdown":"0.9",
    "first_reference":"snapshot","jump_frac":"100","releases_per_hour":1000,
    "spread_clear_s":"0.2""#;

const LONG: Held<'static> = (7, "EURUSD", "buy", 100, 110_000);

/// Where the account stands, in points of one lot of EURUSD: one point is one dollar.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Tick(i64),
    Reported(i64),
}

fn marks() -> impl Strategy<Value = Vec<(Mark, i64)>> {
    let mark = prop_oneof![
        (-8_000i64..4_000).prop_map(Mark::Tick),
        (-8_000i64..4_000).prop_map(Mark::Reported)
    ];
    let loss = prop_oneof![Just(0i64), 0i64..3_000];
    vec((mark, loss), 1..40)
}

/// The history of marks, each lowered by its own further loss.
fn history(marks: &[(Mark, i64)], is_worse: bool) -> Vec<Event> {
    let mut events = vec![(0, snapshot(0, 10_000_000, 10_000_000, &[LONG]))];
    for (at, (mark, loss)) in (1i64..).zip(marks) {
        let less = if is_worse { *loss } else { 0 };
        let frame = match mark {
            Mark::Tick(points) => {
                ticks(0, &[("EURUSD", 110_000 + points - less, 110_005 + points)])
            }
            Mark::Reported(points) => {
                let result = points - less;
                let held = (7, "EURUSD", "buy", 100, 110_000 + result);
                snapshot(0, 10_000_000, 10_000_000 + result * 100, &[held])
            }
        };
        events.push((at * 100, frame));
    }
    events
}

/// Returns the time of the first halt of a trigger.
fn halted_at(lines: &[String], trigger: &str) -> Option<i64> {
    let is_it = |line: &&String| {
        line.contains(&format!(r#""trigger":"{trigger}""#)) && line.contains(r#""action":"halt""#)
    };
    let line: serde_json::Value = serde_json::from_str(lines.iter().find(is_it)?).unwrap();
    line["t_ns"].as_i64()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn more_loss_never_un_trips(marks in marks()) {
        let (better, _) = run(&mut engine(AT_ONCE, &["EURUSD"]), &history(&marks, false));
        let (worse, _) = run(&mut engine(AT_ONCE, &["EURUSD"]), &history(&marks, true));
        for trigger in ["daily_loss", "total_drawdown"] {
            if let Some(at) = halted_at(&better, trigger) {
                let earlier = halted_at(&worse, trigger);
                let is_earlier = earlier.is_some_and(|earlier| earlier <= at);
                prop_assert!(is_earlier, "{trigger}: {at} but {earlier:?}");
            }
        }
    }

    #[test]
    fn nothing_that_follows_un_trips(marks in marks(), confirmed in any::<bool>()) {
        let mut engine = engine(if confirmed { CONFIRMED } else { AT_ONCE }, &["EURUSD"]);
        let mut halted: Vec<String> = Vec::new();
        for event in history(&marks, false) {
            let (lines, _) = run(&mut engine, &[event]);
            for trigger in &halted {
                let again = lines.iter().find(|line| line.contains(trigger.as_str()));
                prop_assert!(again.is_none(), "after its halt: {again:?}");
                let in_force = status(&mut engine)["accounts"][0]["states"].to_string();
                let is_halted = in_force.contains(trigger) && in_force.contains("halted");
                prop_assert!(is_halted, "{in_force}");
            }
            for trigger in ["daily_loss", "total_drawdown"] {
                if halted_at(&lines, trigger).is_some() {
                    halted.push(format!(r#""trigger":"{trigger}""#));
                }
            }
        }
    }

    #[test]
    fn the_order_of_simultaneous_symbols_does_not_matter(
        rounds in vec((vec((-400i64..400, 1i64..80), 4), any::<[Index; 4]>()), 1..12),
        sides in any::<[bool; 4]>(),
    ) {
        let names = ["EURUSD", "GBPUSD", "EURCHF", "USDCHF"];
        let start = [110_000, 140_000, 95_000, 90_000];
        let side = |at: usize| if sides[at] { "buy" } else { "sell" };
        let held: Vec<Held<'_>> = (1i64..)
            .zip(0..4)
            .map(|(id, at)| (id, names[at], side(at), 50, start[at]))
            .collect();
        let (mut plain, mut shuffled) = (Vec::new(), Vec::new());
        for (at, (moves, order)) in (1i64..).zip(&rounds) {
            let quote = |one: usize| {
                let bid = start[one] + moves[one].0;
                (names[one], bid, bid + moves[one].1)
            };
            let mut quotes: Vec<_> = (0..4).map(quote).collect();
            plain.push((at * 300, ticks(0, &quotes)));
            for (one, other) in order.iter().enumerate() {
                quotes.swap(one, other.index(4));
            }
            shuffled.push((at * 300, ticks(0, &quotes)));
        }
        let first = (0, snapshot(0, 10_000_000, 10_000_000, &held));
        plain.insert(0, first.clone());
        shuffled.insert(0, first);
        let (mut one, mut other) = (engine(WIDE, &names), engine(WIDE, &names));
        let (lines, again) = (run(&mut one, &plain).0, run(&mut other, &shuffled).0);
        prop_assert_eq!(sorted(lines), sorted(again));
        prop_assert_eq!(status(&mut one), status(&mut other));
    }

    #[test]
    fn a_duplicate_never_counts_twice(
        kinds in vec((0u8..4, -3_000i64..1_000, 1i64..400), 1..40),
        echoes in vec((any::<Index>(), any::<Index>()), 1..30),
    ) {
        let mut once: Vec<Event> = vec![(0, snapshot(1, 10_000_000, 10_000_000, &[LONG]))];
        let mut at_ms = 0;
        for (seq, (kind, points, wait)) in (2i64..).zip(&kinds) {
            at_ms += wait;
            once.push((at_ms, match kind {
                0 => ticks(seq, &[("EURUSD", 110_000 + points, 110_010 + points)]),
                1 => fill(seq, 100 + seq, 7, points * 10),
                2 => error(seq, seq % 3),
                _ => snapshot(seq, 10_000_000, 10_000_000 + points * 100, &[LONG]),
            }));
        }
        // Each echo repeats an event somewhere later, at the time of the event that it follows.
        let mut twice = once.clone();
        for (which, place) in &echoes {
            let from = which.index(once.len());
            let known = twice.iter().position(|event| event.1 == once[from].1).unwrap();
            let after = known + place.index(twice.len() - known);
            twice.insert(after + 1, (twice[after].0, once[from].1.clone()));
        }
        let (mut one, mut other) = (engine(CONFIRMED, &["EURUSD"]), engine(CONFIRMED, &["EURUSD"]));
        let (lines, _) = run(&mut one, &once);
        let (again, flags) = run(&mut other, &twice);
        prop_assert_eq!(lines, again);
        prop_assert_eq!(status(&mut one), status(&mut other));
        let ignored = flags.iter().filter(|flags| flags.has(Flags::IGNORED));
        prop_assert_eq!(ignored.count(), echoes.len());
    }

    #[test]
    fn a_deal_counts_once_whatever_numbers_it_is_sent_under(
        profits in vec(-90_000i64..10_000, 1..10),
    ) {
        let first: Event = (0, snapshot(0, 10_000_000, 10_000_000, &[LONG]));
        let deals = (1i64..).zip(&profits);
        let event = |(at, profit): (i64, &i64)| (at, fill(0, 100 + at, 7, *profit));
        let once: Vec<Event> = deals.map(event).collect();
        let twice = once.iter().flat_map(|event| [event.clone(), event.clone()]);
        let (mut one, mut other) = (engine(AT_ONCE, &["EURUSD"]), engine(AT_ONCE, &["EURUSD"]));
        let (lines, _) = run(&mut one, &[vec![first.clone()], once.clone()].concat());
        let (again, _) = run(&mut other, &[vec![first], twice.collect()].concat());
        prop_assert_eq!(lines, again);
        let balance = |engine| status(engine)["accounts"][0]["balance"].clone();
        prop_assert_eq!(balance(&mut one), balance(&mut other));
    }
}
