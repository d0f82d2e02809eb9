//! A remote gate's lease: opens on proof alone, and old words never look fresh.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, which is what it is for"
)]

use edgeguard_core::lease::{Beat, Lease};
use edgeguard_core::page::Code;
use edgeguard_core::trading_state::State;
use proptest::prelude::*;

const MS: i64 = 1_000_000;
const LEASE_NS: i64 = 1_000 * MS;

fn beat(epoch: i64, state: State) -> Beat {
    Beat {
        epoch,
        state_seq: 1,
        state,
        hole: false,
        halt_id: String::new(),
        resumed: Vec::new(),
    }
}

/// A lease that is open at the returned time: one echo to learn of the run, three that count.
fn open() -> (Lease, i64) {
    let mut lease = Lease::new(LEASE_NS);
    let mut now = 0;
    for _ in 0..4 {
        assert_ne!(lease.check(now), Code::Open);
        now += 100 * MS;
        assert!(lease.on_echo(now - MS, now, beat(1, State::Active)));
    }
    assert_eq!(lease.check(now), Code::Open);
    (lease, now)
}

/// N7: echoes of old pings, read late, neither open nor prolong anything.
#[test]
fn buffered_echoes_do_not_prolong() {
    let (mut lease, now) = open();
    let late = now + 3 * LEASE_NS;
    for step in 1..10 {
        lease.on_echo(now + step * 100 * MS, late, beat(1, State::Active));
    }
    assert_eq!(lease.check(late), Code::Stale);
}

/// The lease runs from the ping: it ends one lease after it, not after the echo's arrival.
#[test]
fn lease_runs_from_the_ping() {
    let (lease, now) = open();
    assert_eq!(lease.check(now - MS + LEASE_NS - 1), Code::Open);
    assert_eq!(lease.check(now - MS + LEASE_NS), Code::Stale);
}

/// After a short loss three good echoes of the same run reopen.
#[test]
fn short_loss_reopens_on_three_echoes() {
    let (mut lease, now) = open();
    let back = now + 2 * LEASE_NS;
    for (number, expected) in [(0, Code::Stale), (1, Code::Stale), (2, Code::Open)] {
        let at = back + number * 100 * MS;
        lease.on_echo(at - MS, at, beat(1, State::Active));
        assert_eq!(lease.check(at), expected);
    }
}

/// After 30 s, or with a new run, what was in flight does not count: a handshake comes first.
#[test]
fn long_loss_and_new_run_need_a_handshake() {
    for (epoch, gap) in [(1, 31 * LEASE_NS), (2, 100 * MS)] {
        let (mut lease, now) = open();
        let back = now + gap;
        let codes: Vec<Code> = (0..4)
            .map(|number| {
                let at = back + number * 100 * MS;
                lease.on_echo(at - MS, at, beat(epoch, State::Active));
                lease.check(at)
            })
            .collect();
        assert_eq!(codes, [Code::Stale, Code::Stale, Code::Stale, Code::Open]);
    }
}

/// H9: a run that a later one has replaced is not believed.
#[test]
fn lower_epoch_is_fenced() {
    let (mut lease, now) = open();
    assert!(!lease.on_echo(now + MS, now + 2 * MS, beat(0, State::Active)));
    assert_eq!(lease.check(now + LEASE_NS), Code::Stale);
}

/// P1: a halt latches, through restarts of the guard that forgot it, until that id is resumed.
#[test]
fn halt_latches_until_its_resume() {
    let (mut lease, mut now) = open();
    let halted = Beat {
        halt_id: "H1".to_owned(),
        ..beat(1, State::Halted)
    };
    now += 100 * MS;
    lease.on_echo(now - MS, now, halted);
    for epoch in [1, 2, 2, 2, 2, 2] {
        now += 100 * MS;
        lease.on_echo(now - MS, now, beat(epoch, State::Active));
        assert_eq!(lease.check(now), Code::Halted);
    }
    now += 100 * MS;
    lease.on_echo(
        now - MS,
        now,
        Beat {
            resumed: vec!["H1".to_owned()],
            ..beat(2, State::Active)
        },
    );
    assert_eq!(lease.check(now), Code::Open);
}

/// A halt that arrives too late to prolong the lease is latched all the same.
#[test]
fn late_halt_is_latched() {
    let (mut lease, now) = open();
    let halted = Beat {
        halt_id: "H1".to_owned(),
        ..beat(1, State::Halted)
    };
    lease.on_echo(now + MS, now + 2 * LEASE_NS, halted);
    assert_eq!(lease.check(now + 2 * LEASE_NS), Code::Halted);
}

/// A paused account's state, the second of its run.
fn paused(epoch: i64) -> Beat {
    Beat {
        state_seq: 2,
        ..beat(epoch, State::Paused)
    }
}

/// P2: a push closes at once, also for a hole, a start and a halt, which latches.
#[test]
fn push_closes_at_once() {
    let hole = Beat {
        hole: true,
        ..paused(1)
    };
    let halted = Beat {
        halt_id: "H1".to_owned(),
        ..beat(1, State::Halted)
    };
    for (word, code) in [
        (paused(1), Code::Paused),
        (hole, Code::Hole),
        (beat(1, State::Starting), Code::Starting),
        (paused(2), Code::Paused),
        (halted, Code::Halted),
    ] {
        let (mut lease, now) = open();
        assert!(lease.on_push(now, &word));
        assert_eq!(lease.check(now), code);
        let is_latched = lease.latched().iter().any(|halt| halt == "H1");
        assert_eq!(is_latched, code == Code::Halted);
    }
}

/// P2: what a push closed an echo opens that was asked for afterwards, and none that was under way.
#[test]
fn echo_under_way_does_not_reopen_what_a_push_closed() {
    let (mut lease, now) = open();
    assert!(lease.on_push(now + 50 * MS, &paused(1)));
    assert!(lease.on_echo(now + 50 * MS, now + 60 * MS, beat(1, State::Active)));
    assert_eq!(lease.check(now + 60 * MS), Code::Paused);
    assert!(lease.is_told());
    let after = Beat {
        state_seq: 3,
        ..beat(1, State::Active)
    };
    assert!(lease.on_echo(now + 51 * MS, now + 70 * MS, after));
    assert_eq!(lease.check(now + 70 * MS), Code::Open);
    assert!(!lease.is_told());
}

/// P4: pushes alone open nothing, however often they say ACTIVE.
#[test]
fn push_is_no_first_word() {
    let mut lease = Lease::new(LEASE_NS);
    for step in 1..10 {
        assert!(lease.on_push(step * 100 * MS, &beat(1, State::Active)));
        assert_eq!(lease.check(step * 100 * MS), Code::Missing);
    }
}

/// P1, P4: a push takes back neither what another has closed nor a halt, by naming it as resumed.
#[test]
fn push_never_opens() {
    let halted = Beat {
        state_seq: 2,
        halt_id: "H1".to_owned(),
        ..beat(1, State::Halted)
    };
    let resumed = Beat {
        state_seq: 3,
        resumed: vec!["H1".to_owned()],
        ..beat(1, State::Active)
    };
    for (first, code) in [(paused(1), Code::Paused), (halted, Code::Halted)] {
        let (mut lease, now) = open();
        assert!(lease.on_push(now, &first));
        assert!(lease.on_push(now, &resumed));
        assert_eq!(lease.check(now), code);
        assert!(
            !lease.on_push(now, &first),
            "it is older than what is known"
        );
    }
}

/// P3: a push is no sign of life: the lease ends one lease after the ping of the last echo.
#[test]
fn push_does_not_renew_the_lease() {
    let (mut lease, now) = open();
    let end = now - MS + LEASE_NS;
    assert!(lease.on_push(end - MS, &beat(1, State::Active)));
    assert_eq!(lease.check(end - 1), Code::Open);
    assert_eq!(lease.check(end), Code::Stale);
    // Nor is it one of the echoes in a row that reopen.
    for (step, code) in [(100, Code::Stale), (200, Code::Stale), (300, Code::Open)] {
        let at = end + step * MS;
        lease.on_push(at - 2 * MS, &beat(1, State::Active));
        lease.on_echo(at - MS, at, beat(1, State::Active));
        assert_eq!(lease.check(at), code);
    }
}

/// H9, N7: a push of an older run or state changes nothing; one of a later run fences the older one.
#[test]
fn old_push_is_ignored_and_a_later_run_fences() {
    let (mut lease, now) = open();
    let after = now + 100 * MS;
    let newer = Beat {
        state_seq: 3,
        ..beat(1, State::Active)
    };
    assert!(lease.on_echo(after - MS, after, newer));
    for old in [
        paused(1),
        paused(0),
        Beat {
            halt_id: "H0".to_owned(),
            state_seq: 9,
            ..beat(0, State::Halted)
        },
    ] {
        assert!(!lease.on_push(after, &old));
        assert_eq!(lease.check(after), Code::Open);
    }
    assert!(lease.on_push(after, &paused(2)));
    let newest = Beat {
        state_seq: 9,
        ..beat(1, State::Active)
    };
    assert!(!lease.on_echo(after + MS, after + 2 * MS, newest));
    assert_eq!(lease.check(after + 2 * MS), Code::Paused);
}

proptest! {
    /// P2 to P4 with pushes among the echoes: no push opens, one that closes does so at once, and an
    /// open gate has an echo that was asked for after every such push and within the lease.
    #[test]
    fn pushes_close_and_never_open(
        words in prop::collection::vec(
            (0_i64..2000, 0_i64..1500, 1_i64..3, 0_i64..6, 0_usize..4, any::<bool>()), 1..80),
    ) {
        let states = [State::Active, State::Starting, State::Paused, State::Halted];
        let mut lease = Lease::new(LEASE_NS);
        let mut now = 10_000 * MS;
        let mut closed_at = i64::MIN;
        let mut newest_sent = i64::MIN;
        for (step, age, epoch, state_seq, state, is_push) in words {
            now += step * MS / 10;
            // The numbers of a run's states rise with time, as the guard's do.
            let word = Beat {
                state_seq: now / (500 * MS) + state_seq % 2,
                halt_id: if state == 3 { format!("H{state_seq}") } else { String::new() },
                ..beat(epoch, states[state])
            };
            let was_open = lease.check(now) == Code::Open;
            if is_push {
                let is_news = lease.on_push(now, &word);
                if is_news && word.state != State::Active {
                    closed_at = now;
                }
                prop_assert!(was_open || lease.check(now) != Code::Open, "a push opened");
                prop_assert!(!is_news || word.state == State::Active || lease.check(now) != Code::Open);
            } else {
                let sent = now - age * MS;
                if lease.on_echo(sent, now, word) {
                    newest_sent = sent;
                }
            }
            if lease.check(now) == Code::Open {
                prop_assert!(newest_sent > closed_at);
                prop_assert!(now - newest_sent < LEASE_NS);
            }
        }
    }

    /// P2 and P3 under any history: an open gate has an ACTIVE echo whose ping is younger than the
    /// lease, and no halt that was seen is unresumed.
    #[test]
    fn open_means_fresh_active_and_unhalted(
        echoes in prop::collection::vec((0_i64..4000, 0_i64..2500, 1_i64..3, 0_usize..4, 0_usize..3), 1..80),
        ask in 0_i64..2500,
    ) {
        let states = [State::Active, State::Starting, State::Paused, State::Halted];
        let mut lease = Lease::new(LEASE_NS);
        let mut now = 10_000 * MS;
        let mut newest: Option<(i64, i64, State)> = None;
        let mut halts: Vec<String> = Vec::new();
        for (step, age, epoch, state, resumed) in echoes {
            now += step * MS / 10;
            let sent = now - age * MS;
            let mut word = beat(epoch, states[state]);
            if word.state == State::Halted {
                word.halt_id = format!("H{resumed}");
            } else if resumed > 0 {
                word.resumed = vec![format!("H{resumed}")];
            }
            let known = newest.is_some_and(|(at, run, _)| epoch < run || sent <= at);
            if lease.on_echo(sent, now, word.clone()) {
                newest = Some((sent, epoch, word.state));
            }
            if !known {
                halts.retain(|halt| !word.resumed.contains(halt));
                if word.state == State::Halted && !halts.contains(&word.halt_id) {
                    halts.push(word.halt_id);
                }
            }
            let at = now + ask * MS;
            if lease.check(at) == Code::Open {
                let (sent, _, state) = newest.unwrap();
                prop_assert!(at - sent < LEASE_NS && state == State::Active && halts.is_empty());
            }
        }
    }
}
