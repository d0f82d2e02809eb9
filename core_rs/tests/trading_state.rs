//! The trading state: promises P1, P7 and P8, first one by one, then under random histories.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cognitive_complexity,
    reason = "a test that panics has failed, which is what it is for"
)]

use edgeguard_core::trading_state::{
    ACCOUNT, Action, Change, Checks, Flatten, Halt, Now, Pause, State, TradingState,
};
use proptest::prelude::*;

fn now(second: i64) -> Now {
    Now {
        wall_ns: second * 1_000_000_000,
        boot_ns: second * 1_000_000_000,
    }
}

fn halt(id: &str) -> Halt {
    Halt {
        id: id.to_owned(),
        t_ns: 1,
        trigger: "daily_loss".to_owned(),
        ..Halt::default()
    }
}

fn pause(code: &str, held: bool) -> Pause {
    Pause {
        trigger: "guard".to_owned(),
        code: code.to_owned(),
        held,
        since_ns: 1,
    }
}

fn good() -> Checks {
    Checks {
        operator: "ana".to_owned(),
        reason: "fixed".to_owned(),
        snapshot_fresh: true,
        storage_trusted: true,
        identity_good: true,
        firing: Vec::new(),
    }
}

fn active() -> TradingState {
    let mut state = TradingState::new(&["snapshot".to_owned()]);
    state.met("snapshot");
    assert_eq!(state.state(), State::Active);
    state
}

fn halted(id: &str) -> TradingState {
    let mut state = active();
    state.halt(now(1), ACCOUNT, halt(id));
    state.flattened(ACCOUNT, id, Flatten::FlatVerified);
    state
}

/// A halt asks for page, publish, persist and flatten, in this order and in one turn.
#[test]
fn halt_orders_page_publish_persist_flatten() {
    let mut state = active();
    let actions = state.halt(now(1), ACCOUNT, halt("H1"));
    assert!(matches!(actions[0], Action::Page));
    assert!(matches!(
        &actions[1],
        Action::Publish {
            change: Change::Halt,
            ..
        }
    ));
    assert!(matches!(actions[2], Action::Persist));
    assert!(matches!(&actions[3], Action::Flatten { halt_id, .. } if halt_id == "H1"));
    assert_eq!(state.state(), State::Halted);
    assert_eq!((state.word().severity, state.word().flags), (1, 2));
    state.persisted("H1");
    assert_eq!(state.word().flags, 0);
}

/// P4: every start condition is needed; a halt outranks the start.
#[test]
fn start_needs_every_condition() {
    let mut state = TradingState::new(&["a".to_owned(), "b".to_owned()]);
    state.met("a");
    state.met("unknown");
    assert_eq!(state.state(), State::Starting);
    assert_eq!(state.waiting().collect::<Vec<_>>(), ["b"]);
    state.met("b");
    assert_eq!(state.state(), State::Active);
    let mut other = TradingState::new(&["a".to_owned()]);
    other.halt(now(1), ACCOUNT, halt("H1"));
    assert_eq!(other.state(), State::Halted);
}

/// P8: a second halt changes neither id nor time of the first.
#[test]
fn second_halt_changes_nothing_of_the_first() {
    let mut state = halted("H1");
    let actions = state.halt(now(9), ACCOUNT, halt("H2"));
    assert!(
        actions
            .iter()
            .all(|action| matches!(action, Action::Publish { .. }))
    );
    let standing = state.scopes()[ACCOUNT].halt.clone().unwrap();
    assert_eq!((standing.id.as_str(), standing.t_ns), ("H1", 1));
    assert_eq!(state.scopes()[ACCOUNT].flatten, Flatten::FlatVerified);
}

/// P7: each missing condition of a resume is a refusal of its own, and changes nothing.
#[test]
fn resume_is_refused_for_each_reason() {
    type Spoil = fn(&mut Checks);
    let cases: [(&str, Spoil); 6] = [
        ("operator", |checks| checks.operator = " ".to_owned()),
        ("reason", |checks| checks.reason.clear()),
        ("snapshot", |checks| checks.snapshot_fresh = false),
        ("storage", |checks| checks.storage_trusted = false),
        ("identity", |checks| checks.identity_good = false),
        ("would fire", |checks| {
            checks.firing = vec!["daily_loss would fire".to_owned()];
        }),
    ];
    for (word, spoil) in cases {
        let mut state = halted("H1");
        let mut checks = good();
        spoil(&mut checks);
        let refusals = state.resume("H1", &checks).unwrap_err();
        assert_eq!(refusals.len(), 1);
        assert!(refusals[0].contains(word), "{refusals:?}");
        assert!(state.resume_durable("H1").is_none());
        assert_eq!(state.state(), State::Halted);
    }
    let mut state = halted("H1");
    assert!(state.resume("H2", &good()).is_err());
    state.flattened(ACCOUNT, "H1", Flatten::NotFlat);
    assert!(state.resume("H1", &good()).unwrap_err()[0].contains("NOT_FLAT"));
}

/// P7: a resume opens nothing before it is on disk, and is remembered for gates afterwards.
#[test]
fn resume_opens_only_when_durable() {
    let mut state = halted("H1");
    assert_eq!(state.resume("H1", &good()).unwrap(), [Action::Persist]);
    assert_eq!(state.state(), State::Halted);
    let actions = state.resume_durable("H1").unwrap();
    assert!(matches!(actions[0], Action::Page));
    assert_eq!(state.state(), State::Active);
    assert!(state.resumed().contains(&"H1".to_owned()));
    assert!(state.resume("H1", &good()).is_err());
}

/// A halt that comes while a resume is being written makes the resume void.
#[test]
fn halt_during_a_resume_voids_it() {
    let mut state = halted("H1");
    state.resume("H1", &good()).unwrap();
    let actions = state.halt(now(2), ACCOUNT, halt("H2"));
    assert!(actions.contains(&Action::Persist));
    assert!(state.resume_durable("H1").is_none());
    assert_eq!(state.state(), State::Halted);
    assert_eq!(state.scopes()[ACCOUNT].halt.as_ref().unwrap().id, "H1");
}

/// P5, found by the simulation (seeds 1125 and 11495 of 2026-11-23): a resume under way is a record without
/// the halt, so once it is void or failed the halt is not durable until the latch is written anew.
#[test]
fn halt_is_not_durable_after_a_void_or_failed_resume() {
    for is_void in [true, false] {
        let mut state = halted("H1");
        state.persisted("H1");
        state.resume("H1", &good()).unwrap();
        let actions = if is_void {
            state.halt(now(2), ACCOUNT, halt("H2"))
        } else {
            state.resume_failed("H1")
        };
        assert!(actions.contains(&Action::Persist) && actions.contains(&Action::Page));
        assert!(!state.scopes()[ACCOUNT].halt.as_ref().unwrap().durable);
        assert_eq!(state.word().flags, 2);
        state.persisted("H1");
        assert!(state.scopes()[ACCOUNT].halt.as_ref().unwrap().durable);
    }
}

/// A pause ends with its last cause, and never turns into a halt.
#[test]
fn pause_ends_with_its_last_cause() {
    let mut state = active();
    state.pause(ACCOUNT, "hole", pause("HOLE", false));
    state.pause(ACCOUNT, "age", pause("SNAPSHOT_AGE", false));
    assert_eq!((state.state(), state.word().flags), (State::Paused, 1));
    state.release(ACCOUNT, "hole");
    assert_eq!((state.state(), state.word().flags), (State::Paused, 0));
    state.release(ACCOUNT, "age");
    assert_eq!(state.state(), State::Active);
}

/// What appears on a halted account that was flat is flattened again, at a bounded rate.
#[test]
fn exposure_on_a_halted_account_is_flattened_again() {
    let mut state = halted("H1");
    assert!(
        state.exposed(now(2), ACCOUNT).is_empty(),
        "told less than 5 s ago"
    );
    let actions = state.exposed(now(7), ACCOUNT);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Flatten { .. }))
    );
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Alarm { .. }))
    );
    assert_eq!(state.scopes()[ACCOUNT].flatten, Flatten::InProgress);
    assert!(state.tick(now(8)).is_empty());
    assert_eq!(state.tick(now(12)).len(), 1);
    assert!(active().exposed(now(9), ACCOUNT).is_empty());
}

/// A scope's halt leaves the account open, and is lifted by its own id.
#[test]
fn scope_halts_alone() {
    let mut state = active();
    state.halt(now(1), "strategy:X", halt("H1"));
    assert_eq!(state.state(), State::Active);
    assert_eq!(state.state_of("strategy:X"), State::Halted);
    assert_eq!((state.word().flags & 4, state.word().severity), (4, 1));
    state.flattened("strategy:X", "H1", Flatten::FlatVerified);
    state.resume("H1", &good()).unwrap();
    state.resume_durable("H1").unwrap();
    assert_eq!(state.state_of("strategy:X"), State::Active);
    assert!(
        state.scopes().contains_key("strategy:X"),
        "gates must see it active"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Met,
    Halt(u8),
    Pause(u8, bool),
    Release(u8),
    Persisted(u8),
    Flat(u8, bool),
    Resume(u8, bool),
    Durable(u8),
    Failed(u8),
    Exposed,
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0_u8..3;
    prop_oneof![
        Just(Step::Met),
        id.clone().prop_map(Step::Halt),
        (id.clone(), any::<bool>()).prop_map(|(cause, held)| Step::Pause(cause, held)),
        id.clone().prop_map(Step::Release),
        id.clone().prop_map(Step::Persisted),
        (id.clone(), any::<bool>()).prop_map(|(halt, flat)| Step::Flat(halt, flat)),
        (id.clone(), any::<bool>()).prop_map(|(halt, green)| Step::Resume(halt, green)),
        id.clone().prop_map(Step::Durable),
        id.prop_map(Step::Failed),
        Just(Step::Exposed),
        Just(Step::Tick),
    ]
}

fn apply(state: &mut TradingState, at: Now, step: &Step) -> Vec<Action> {
    match step {
        Step::Met => state.met("snapshot"),
        Step::Halt(id) => state.halt(at, ACCOUNT, halt(&format!("H{id}"))),
        Step::Pause(cause, held) => state.pause(ACCOUNT, &cause.to_string(), pause("P", *held)),
        Step::Release(cause) => state.release(ACCOUNT, &cause.to_string()),
        Step::Persisted(id) => state.persisted(&format!("H{id}")),
        Step::Flat(id, flat) => {
            let status = if *flat {
                Flatten::FlatVerified
            } else {
                Flatten::NotFlat
            };
            state.flattened(ACCOUNT, &format!("H{id}"), status)
        }
        Step::Resume(id, green) => {
            let checks = Checks {
                snapshot_fresh: *green,
                ..good()
            };
            state.resume(&format!("H{id}"), &checks).unwrap_or_default()
        }
        Step::Durable(id) => state.resume_durable(&format!("H{id}")).unwrap_or_default(),
        Step::Failed(id) => state.resume_failed(&format!("H{id}")),
        Step::Exposed => state.exposed(at, ACCOUNT),
        Step::Tick => state.tick(at),
    }
}

proptest! {
    /// P1, P7, P8 under any history: a halt leaves only by a durable resume of its own id that was
    /// asked for while all was green, and while it stands its id and time never change. The page is
    /// asked for exactly when the word changes.
    #[test]
    fn halts_leave_by_their_own_resume_alone(steps in prop::collection::vec(step(), 1..60)) {
        let mut state = TradingState::new(&["snapshot".to_owned()]);
        let mut second = 0;
        for step in &steps {
            second += 1;
            let before = state.scopes()[ACCOUNT].clone();
            let (word, was_asked) = (state.word(), before.halt.as_ref().is_some_and(|h| state.is_resuming(&h.id)));
            let actions = apply(&mut state, now(second), step);
            let after = state.scopes()[ACCOUNT].clone();
            if let Some(standing) = &before.halt {
                if let Some(kept) = &after.halt {
                    prop_assert_eq!((&kept.id, kept.t_ns), (&standing.id, standing.t_ns));
                } else {
                    prop_assert!(was_asked);
                    let own = standing.id.clone();
                    let is_own = matches!(step, Step::Durable(id) if format!("H{id}") == own);
                    prop_assert!(is_own);
                }
            }
            if after.halt.is_some() {
                prop_assert_eq!(state.state(), State::Halted);
                prop_assert_eq!(state.word().severity, 1);
            }
            let changed = word != state.word();
            prop_assert_eq!(changed, actions.contains(&Action::Page), "{:?}", step);
            if changed {
                prop_assert_eq!(state.word().state_seq, word.state_seq + 1);
            }
        }
    }
}
