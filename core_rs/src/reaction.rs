//! From the engine's decision to what gates and listeners see of it: the trading state's words, and
//! the halt event as the wire carries it.
//!
//! What lies between a decision and its event on the wire stands here in one piece, because that is
//! the way on which a halt is late: nothing of it waits for a turn of the interpreter.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::decision::Decision;
use crate::msgpack::write;
use crate::trading_state::{ACCOUNT, Action, Halt, Now, Pause, State, TradingState};
use crate::types::Trigger;

/// Characters of a halt's reason that messages carry.
pub const REASON_CHARS_MAX: usize = 200;
/// Bytes that an ordinary event has; a longer one costs an allocation more.
const EVENT_BYTES: usize = 512;
/// The tag of a halt event and the number of its fields, the tag among them (`docs/WIRE.md`).
const EVENT_TAG: i64 = 17;
const EVENT_FIELDS: u16 = 17;
const HALT_FIELDS: u16 = 5;

/// What a decision says, whichever engine made it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ruling<'a> {
    /// The account's id.
    pub account: &'a str,
    /// Wall nanoseconds of the event, or of the deadline that fell due.
    pub t_ns: i64,
    /// `account`, `strategy:NAME` or `symbol:NAME`.
    pub scope: &'a str,
    /// The trigger's name.
    pub trigger: &'a str,
    /// `warn`, `pause`, `release` or `halt`; anything else halts.
    pub action: &'a str,
    /// The code with its ending.
    pub code: &'a str,
    /// The measured value as printed.
    pub value: Option<&'a str>,
    /// The threshold as the configuration writes it.
    pub threshold: Option<&'a str>,
    /// What it was compared with.
    pub reference: Option<&'a str>,
    /// The symbol.
    pub symbol: Option<&'a str>,
}

impl<'a> Ruling<'a> {
    /// Returns what a decision of the shipped engine says; `code` is its `code_text`.
    #[must_use]
    pub fn of(decision: &'a Decision, code: &'a str) -> Self {
        Self {
            account: &decision.account_id,
            t_ns: decision.t_ns,
            scope: &decision.scope,
            trigger: decision.trigger.name(),
            action: decision.action.name(),
            code,
            value: decision.value.as_deref(),
            threshold: decision.threshold.as_deref(),
            reference: decision.reference.as_deref(),
            symbol: decision.symbol.as_deref(),
        }
    }

    /// Returns the name under which a trigger's pause stands: by symbol, and by source where only
    /// the source tells several apart.
    fn cause(&self) -> String {
        let (trigger, symbol) = (self.trigger, self.symbol.unwrap_or_default());
        if trigger == Trigger::ConnectionLost.name() {
            format!("{trigger}/{symbol}/{}", self.reference.unwrap_or_default())
        } else {
            format!("{trigger}/{symbol}")
        }
    }
}

/// One change of a trading state, as it is told to whoever listens.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The account's id.
    pub account: &'a str,
    /// The guard's run.
    pub epoch: i64,
    /// Number of the event within the run.
    pub seq: i64,
    /// When it is told, wall nanoseconds.
    pub t_ns: i64,
    /// What changed, `halt`, `pause`, `release` or `resume`.
    pub change: &'a str,
    /// Whose state changed.
    pub scope: &'a str,
    /// The trigger of the change.
    pub trigger: &'a str,
    /// Its code.
    pub code: &'a str,
    /// The decision behind it, whose numbers the event carries; all `None` without one.
    pub ruling: Ruling<'a>,
}

/// Tells the trading state what the engine decided, and returns what to do.
///
/// `tail` makes the id of a halt one that no other has; a warning changes nothing.
pub fn decide(state: &mut TradingState, ruling: &Ruling<'_>, now: Now, tail: &str) -> Vec<Action> {
    match ruling.action {
        "warn" => Vec::new(),
        "release" => state.release(ruling.scope, &ruling.cause()),
        "pause" => {
            let pause = Pause {
                trigger: ruling.trigger.to_owned(),
                code: ruling.code.to_owned(),
                held: false,
                since_ns: ruling.t_ns,
            };
            state.pause(ruling.scope, &ruling.cause(), pause)
        }
        // A word that nobody knows is none that may be passed over.
        _ => {
            let value = ruling.value.unwrap_or("unknown");
            let threshold = ruling.threshold.unwrap_or("unknown");
            let halt = Halt {
                id: halt_id(now.wall_ns, tail),
                t_ns: ruling.t_ns,
                trigger: ruling.trigger.to_owned(),
                code: ruling.code.to_owned(),
                reason: format!("{value} > {threshold}"),
                durable: false,
            };
            state.halt(now, ruling.scope, halt)
        }
    }
}

/// Returns the id of a halt: the time in UTC for people, and a tail that no other halt has.
#[must_use]
pub fn halt_id(wall_ns: i64, tail: &str) -> String {
    let at = Timestamp::from_nanosecond(wall_ns.into()).unwrap_or_default();
    let at = Offset::UTC.to_datetime(at);
    let (date, time) = (at.date(), at.time());
    format!(
        "H{:04}{:02}{:02}-{:02}{:02}{:02}-{tail}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Returns an event's bytes, a `HaltEvent` of `docs/WIRE.md`; the state is the one after the change.
#[must_use]
pub fn encode(event: &Event<'_>, state: &TradingState) -> Vec<u8> {
    let mut out = Vec::with_capacity(EVENT_BYTES);
    let scope = state.scopes().get(event.scope);
    let seen = match scope {
        _ if event.scope == ACCOUNT => state.state(),
        Some(scope) => scope.state(),
        None => State::Active,
    };
    let word = state.word();
    write::array(&mut out, EVENT_FIELDS);
    write::integer(&mut out, EVENT_TAG);
    write::text(&mut out, event.account);
    for number in [event.epoch, event.seq, event.t_ns] {
        write::integer(&mut out, number);
    }
    for text in [event.change, event.scope, seen.name()] {
        write::text(&mut out, text);
    }
    write::integer(&mut out, word.state_seq.into());
    write::integer(&mut out, word.severity.into());
    match scope.and_then(|scope| scope.halt.as_ref()) {
        Some(halt) => halt_info(&mut out, halt),
        None => write::optional_text(&mut out, None),
    }
    write::text(&mut out, event.trigger);
    write::text(&mut out, event.code);
    let ruling = event.ruling;
    for field in [
        ruling.value,
        ruling.threshold,
        ruling.reference,
        ruling.symbol,
    ] {
        write::optional_text(&mut out, field);
    }
    out
}

fn halt_info(out: &mut Vec<u8>, halt: &Halt) {
    let end = halt
        .reason
        .char_indices()
        .nth(REASON_CHARS_MAX)
        .map_or(halt.reason.len(), |(at, _)| at);
    write::array(out, HALT_FIELDS);
    write::text(out, &halt.id);
    write::integer(out, halt.t_ns);
    write::text(out, &halt.trigger);
    write::text(out, halt.reason.get(..end).unwrap_or_default());
    write::boolean(out, halt.durable);
}
