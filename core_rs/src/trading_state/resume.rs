//! The one way down from a halt: asked, judged, written to disk, and only then announced.

use super::types::{ACCOUNT, Action, Change, Checks, Flatten, State};
use super::{TradingState, publish};

/// Every reason for which a resume is refused, each a whole sentence.
pub type Refusals = Vec<String>;

impl TradingState {
    /// Judges a resume of `halt_id`. If it stands, the caller writes the latch without that halt
    /// (see [`Self::is_resuming`]) and calls [`Self::resume_durable`] when it is on disk; until then
    /// nothing opens.
    ///
    /// # Errors
    /// Every reason why the halt must stand.
    pub fn resume(&mut self, halt_id: &str, checks: &Checks) -> Result<Vec<Action>, Refusals> {
        let refusals = self.resume_refusals(halt_id, checks);
        if !refusals.is_empty() {
            return Err(refusals);
        }
        self.resuming = Some(halt_id.to_owned());
        Ok(vec![Action::Persist])
    }

    /// Returns every reason why a resume of `halt_id` must be refused; changes nothing.
    #[must_use]
    pub fn resume_refusals(&self, halt_id: &str, checks: &Checks) -> Refusals {
        let mut refusals = Vec::new();
        if checks.operator.trim().is_empty() {
            refusals.push("operator must be named".to_owned());
        }
        if checks.reason.trim().is_empty() {
            refusals.push("reason must be given".to_owned());
        }
        let halted: Vec<_> = self
            .scopes
            .iter()
            .filter(|(_, entry)| entry.halt.as_ref().is_some_and(|halt| halt.id == halt_id))
            .collect();
        if halted.is_empty() {
            refusals.push(format!(
                "halt id must be that of a halt in force, was {halt_id:?}"
            ));
        }
        for (scope, entry) in halted {
            if entry.flatten != Flatten::FlatVerified {
                let was = entry.flatten.name();
                refusals.push(format!("{scope} must be verified flat, was {was}"));
            }
        }
        if !checks.snapshot_fresh {
            refusals.push("a fresh account snapshot must have arrived, none has".to_owned());
        }
        if !checks.identity_good {
            refusals.push("the account's identity must match the configuration".to_owned());
        }
        if !checks.storage_trusted {
            refusals.push(
                "storage must be trusted; restart the guard so that it is verified".to_owned(),
            );
        }
        refusals.extend(checks.firing.iter().cloned());
        refusals
    }

    /// Returns whether this halt is to be left out of the latch that is being written.
    #[must_use]
    pub fn is_resuming(&self, halt_id: &str) -> bool {
        self.resuming.as_deref() == Some(halt_id)
    }

    /// The latch without `halt_id` is on disk: lowers it, unless a halt came meanwhile. Returns
    /// `None` if so; the caller then writes the latch as it stands.
    pub fn resume_durable(&mut self, halt_id: &str) -> Option<Vec<Action>> {
        if !self.is_resuming(halt_id) {
            return None;
        }
        self.resuming = None;
        self.remember_resumed(halt_id);
        let mut actions = Vec::new();
        for (scope, entry) in &mut self.scopes {
            if entry.halt.as_ref().is_some_and(|halt| halt.id == halt_id) {
                let trigger = entry
                    .halt
                    .take()
                    .map(|halt| halt.trigger)
                    .unwrap_or_default();
                entry.flatten = Flatten::None;
                entry.flatten_sent_ns = None;
                actions.push(publish(Change::Resume, scope, &trigger, "RESUMED"));
            }
        }
        Some(self.settle(actions))
    }

    /// The write failed, or the guard ends meanwhile: the halt stands. A copy may have been written
    /// without it, so it is not durable until the latch has been written anew.
    pub fn resume_failed(&mut self, halt_id: &str) -> Vec<Action> {
        if !self.is_resuming(halt_id) {
            return Vec::new();
        }
        self.resuming = None;
        for halt in self
            .scopes
            .values_mut()
            .filter_map(|entry| entry.halt.as_mut())
        {
            if halt.id == halt_id {
                halt.durable = false;
            }
        }
        self.settle(vec![Action::Persist])
    }

    /// Ends the pauses that only an operator can end, all of them or those of one trigger.
    pub fn release_held(&mut self, scope: &str, trigger: Option<&str>) -> Vec<Action> {
        let causes: Vec<String> = self
            .scopes
            .get(scope)
            .map(|entry| {
                entry
                    .pauses
                    .iter()
                    .filter(|(_, pause)| pause.held)
                    .filter(|(_, pause)| trigger.is_none_or(|name| name == pause.trigger))
                    .map(|(cause, _)| cause.clone())
                    .collect()
            })
            .unwrap_or_default();
        causes
            .iter()
            .flat_map(|cause| self.release(scope, cause))
            .collect()
    }

    /// Returns the state of a scope as a gate should see it: its own, or its account's if worse.
    #[must_use]
    pub fn state_of(&self, scope: &str) -> State {
        let account = self.state();
        if scope == ACCOUNT {
            return account;
        }
        match (account, self.scopes.get(scope)) {
            (State::Active, Some(entry)) => entry.state(),
            _ => account,
        }
    }
}
