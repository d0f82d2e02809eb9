//! The rules of a start: what both copies of the latch, the pages and the boot id say together.
//!
//! Pure, and the twin of `edgeguard/guard/start.py`; `tests/golden/start_cases.json` holds both to one
//! table. A halt found anywhere stands; copies that disagree, or cannot be read, are a halt; a run that
//! did not end cleanly is trusted only on the same boot and with every page in place and clear.

use std::collections::BTreeMap;

use crate::trading_state::ACCOUNT;

/// The boot id of a host that has none.
pub const NO_BOOT: &str = "00000000000000000000000000000000";

/// One halt of a latch record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatchHalt {
    /// Whose it is.
    pub account: String,
    /// `account`, `strategy:NAME` or `symbol:NAME`.
    pub scope: String,
    /// The halt's id.
    pub id: String,
    /// Wall nanoseconds of the trip.
    pub t_ns: i64,
    /// The trigger.
    pub trigger: String,
    /// The code.
    pub code: String,
}

/// One pause of a latch record: an operator must end it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatchPause {
    /// Whose it is.
    pub account: String,
    /// What it covers.
    pub scope: String,
    /// Its cause.
    pub cause: String,
    /// Its trigger.
    pub trigger: String,
    /// Its code.
    pub code: String,
    /// Wall nanoseconds of its begin.
    pub since_ns: i64,
}

/// Everything that the latch holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatchRecord {
    /// Counts writes.
    pub number: i64,
    /// The guard's epoch.
    pub run: i64,
    /// Its boot id in hex.
    pub boot: String,
    /// The run ended by its own will.
    pub is_clean: bool,
    /// The halts in force.
    pub halts: Vec<LatchHalt>,
    /// The pauses that only an operator ends.
    pub pauses: Vec<LatchPause>,
    /// Pairs of account and halt id, oldest first.
    pub resumed: Vec<(String, String)>,
    /// Pairs of account and scope that were resumed.
    pub scopes: Vec<(String, String)>,
}

/// What an account's page said before this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundPage {
    /// It said HALTED.
    pub is_halted: bool,
    /// By this halt, empty for none.
    pub halt_id: String,
    /// The manual word.
    pub manual: u64,
    /// The run that wrote it.
    pub epoch: i64,
}

/// What was read: both copies, and a sentence for each that could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The copy in `latch.slots`.
    pub file: Option<LatchRecord>,
    /// The copy in the journal.
    pub row: Option<LatchRecord>,
    /// Why storage cannot be trusted.
    pub faults: Vec<String>,
}

/// What stands at the start of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The halts that stand, by account and scope.
    pub halts: Vec<LatchHalt>,
    /// The pauses of the newest record.
    pub pauses: Vec<LatchPause>,
    /// Resumed halts of the newest record.
    pub resumed: Vec<(String, String)>,
    /// Resumed scopes of the newest record.
    pub scopes: Vec<(String, String)>,
    /// Why an operator must acknowledge, empty if none must.
    pub unacknowledged: String,
    /// The highest number of a record.
    pub number: i64,
}

/// An account and its page as it was found.
pub type Found = (String, Option<FoundPage>);

/// Returns what stands. `halt_file` is the scope that the HALT file names, `all` where it names none;
/// `template` has id and time of a halt that this start itself finds.
#[must_use]
pub fn judge_start(
    remembered: &Remembered,
    pages: &[Found],
    halt_file: Option<&str>,
    boot: &str,
    template: &LatchHalt,
) -> Verdict {
    let records: Vec<&LatchRecord> = [&remembered.file, &remembered.row]
        .into_iter()
        .filter_map(Option::as_ref)
        .collect();
    // Of two with one number the file's is taken, as Python's max does.
    let newest = records
        .iter()
        .rev()
        .max_by_key(|record| record.number)
        .copied();
    let resumed = newest
        .map(|record| record.resumed.clone())
        .unwrap_or_default();
    let mut halts = union(&records);
    for (account, page) in pages {
        let on_page = found_on_page(account, page.as_ref(), &resumed, template);
        let in_file = found_in_file(account, halt_file, template);
        // A manual word cannot say why; the HALT file that a person wrote beside it does.
        let is_bare_word = page.as_ref().is_some_and(|page| !page.is_halted);
        let (first, second) = if is_bare_word {
            (in_file, on_page)
        } else {
            (on_page, in_file)
        };
        let found = [
            first,
            second,
            is_doubtful(remembered).then(|| LatchHalt {
                account: account.clone(),
                code: "STORAGE_UNTRUSTED".to_owned(),
                ..template.clone()
            }),
        ];
        for halt in found.into_iter().flatten() {
            halts
                .entry((halt.account.clone(), halt.scope.clone()))
                .or_insert(halt);
        }
    }
    Verdict {
        halts: halts.into_values().collect(),
        pauses: newest
            .map(|record| record.pauses.clone())
            .unwrap_or_default(),
        resumed,
        scopes: newest
            .map(|record| record.scopes.clone())
            .unwrap_or_default(),
        unacknowledged: unacknowledged(newest, pages, boot),
        number: newest.map_or(0, |record| record.number),
    }
}

/// Returns the epoch of a run that starts at `wall_ns`: later than every run before it, whatever the
/// wall clock was set to since. Gates refuse the words of a run that a later one has replaced.
#[must_use]
pub fn epoch_after(wall_ns: i64, remembered: &Remembered) -> i64 {
    let runs = [&remembered.file, &remembered.row]
        .into_iter()
        .flatten()
        .map(|record| record.run);
    wall_ns.max(runs.max().unwrap_or(i64::MIN).saturating_add(1))
}

/// Returns every halt that any copy names; the earlier one where they name two.
fn union(records: &[&LatchRecord]) -> BTreeMap<(String, String), LatchHalt> {
    let mut halts: BTreeMap<(String, String), LatchHalt> = BTreeMap::new();
    for halt in records.iter().flat_map(|record| &record.halts) {
        let key = (halt.account.clone(), halt.scope.clone());
        let is_earlier = halts.get(&key).is_none_or(|known| halt.t_ns < known.t_ns);
        if is_earlier {
            halts.insert(key, halt.clone());
        }
    }
    halts
}

fn is_doubtful(remembered: &Remembered) -> bool {
    !remembered.faults.is_empty() || remembered.file.is_none() != remembered.row.is_none()
}

fn found_on_page(
    account: &str,
    page: Option<&FoundPage>,
    resumed: &[(String, String)],
    template: &LatchHalt,
) -> Option<LatchHalt> {
    let page = page?;
    let mut halt = LatchHalt {
        account: account.to_owned(),
        ..template.clone()
    };
    if page.is_halted {
        "PAGE_HALTED".clone_into(&mut halt.code);
        // An id that was resumed already would not hold gates that know so: it gets a new one.
        let is_spent = resumed
            .iter()
            .any(|(owner, id)| owner == account && *id == page.halt_id);
        if !page.halt_id.is_empty() && !is_spent {
            page.halt_id.clone_into(&mut halt.id);
        }
        return Some(halt);
    }
    if page.manual == 0 {
        return None;
    }
    "manual".clone_into(&mut halt.trigger);
    "MANUAL_WORD".clone_into(&mut halt.code);
    Some(halt)
}

fn found_in_file(account: &str, scope: Option<&str>, template: &LatchHalt) -> Option<LatchHalt> {
    let scope = scope?;
    let (kind, name) = scope.split_once(':').unwrap_or((scope, ""));
    if kind == ACCOUNT && !name.is_empty() && name != account {
        return None;
    }
    let is_narrow = matches!(kind, "strategy" | "symbol") && !name.is_empty();
    let scope = if is_narrow { scope } else { &template.scope };
    Some(LatchHalt {
        account: account.to_owned(),
        scope: scope.to_owned(),
        trigger: "manual".to_owned(),
        code: "HALT_FILE".to_owned(),
        ..template.clone()
    })
}

fn unacknowledged(newest: Option<&LatchRecord>, pages: &[Found], boot: &str) -> String {
    let Some(newest) = newest else {
        let is_known = pages.iter().any(|(_, page)| page.is_some());
        let text = "a halt page of this boot was found, and no storage that knows of its run";
        return if is_known {
            text.to_owned()
        } else {
            String::new()
        };
    };
    if newest.is_clean {
        return String::new();
    }
    if newest.boot != boot || boot == NO_BOOT {
        return "the run before did not end cleanly, and the host was started anew since"
            .to_owned();
    }
    // A page of another run was made or taken over by one that died before its mark was on disk. It says
    // nothing of the page of the run that did run: that may have been gone already, and a halt with it.
    let is_strange = |page: &FoundPage| page.epoch != newest.run;
    if pages
        .iter()
        .filter_map(|(_, page)| page.as_ref())
        .any(is_strange)
    {
        return "a start died before it was on disk, and what it found is not known".to_owned();
    }
    let missing: Vec<&str> = pages
        .iter()
        .filter(|(_, page)| page.is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    if missing.is_empty() {
        return String::new();
    }
    format!(
        "the run before did not end cleanly, and no halt page was found of {}",
        missing.join(", ")
    )
}
