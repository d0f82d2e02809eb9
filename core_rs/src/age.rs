//! The age of prices that matter: of symbols with a position, and of those that convert one.

use crate::account::Account;
use crate::context::Context;
use crate::deadline::Due;
use crate::ticks::about_symbol;
use crate::types::{Action, Code};

impl Account {
    /// Watches the age of every price that matters; one that is too old already pauses at once.
    pub fn watch_ages(&mut self, ctx: &mut Context<'_>) {
        for at in 0..self.symbols.len() {
            let Ok(id) = u32::try_from(at) else { continue };
            if self.matters(id) {
                self.watch_age(id, ctx);
            }
        }
    }

    fn watch_age(&mut self, id: u32, ctx: &mut Context<'_>) {
        let max = self.config.limits.price_age_max_ns.saturating_add(1);
        let now = ctx.now;
        let Some(symbol) = usize::try_from(id)
            .ok()
            .and_then(|at| self.symbols.get_mut(at))
        else {
            return;
        };
        if symbol.is_stale {
            return;
        }
        if symbol.hot.priced_at == i64::MIN {
            symbol.hot.priced_at = now.boot_ns;
        }
        let priced_at = symbol.hot.priced_at;
        let due = now.boot_at(symbol.session.after_open(now.wall_at(priced_at), max));
        if due > now.boot_ns {
            symbol.stale.set(&mut self.queue, Due::Stale(id), due);
            return;
        }
        symbol.is_stale = true;
        self.stale_count = self.stale_count.saturating_add(1);
        self.step.is_dirty = true;
        ctx.out
            .push(about_symbol(Action::Pause, Code::PriceStale, id, ctx));
    }

    /// The age of a price fell due; it may have moved.
    pub fn on_stale_deadline(&mut self, id: u32, ctx: &mut Context<'_>) {
        if self.matters(id) {
            self.watch_age(id, ctx);
        }
    }
}
