//! One turn of the guard's loop: a timer, or a message; as `heart.py`, `watch.py` and `pipeline.py`.

use edgeguard_core::engine::Flags;
use edgeguard_core::freshness::is_earned;
use edgeguard_core::trading_state::{ACCOUNT, Action as Deed, Flatten};
use edgeguard_core::types::{Now as EngineNow, Origin};

use super::{Guard, Timer, Turn};
use crate::faults::Fault;
use crate::frames::{FEED, TERMINAL};
use crate::network::{Link, Order, Packet};
use crate::plants::Plant;
use crate::world::{Event, FEED_SILENCE_NS, LEASE_NS, MS, SECOND, World};

const ASK_NS: i64 = 250 * MS;
const AWAY_NS: i64 = 3 * SECOND;
/// Messages that wait for a stopped guard; a socket holds no more.
const INBOX_MAX: usize = 200;

impl World {
    pub(super) fn engine_now(&self) -> EngineNow {
        let now = self.now();
        if self.planted(Plant::WallDurations) {
            return EngineNow {
                wall_ns: now.wall_ns,
                boot_ns: now.wall_ns,
            };
        }
        EngineNow {
            wall_ns: now.wall_ns,
            boot_ns: now.boot_ns,
        }
    }

    /// A message reaches the guard's host.
    pub fn guard_hears(&mut self, packet: Packet) {
        let t = self.t;
        let Some(guard) = &mut self.guard else { return };
        if guard.stopped_until > t {
            if guard.inbox.len() < INBOX_MAX {
                guard.inbox.push(packet);
            }
            return;
        }
        self.with_guard(|world, guard| world.take_packet(guard, packet));
    }

    /// A timer of the guard's loop falls due.
    pub fn guard_timer(&mut self, pid: u32, timer: Timer) {
        let t = self.t;
        let Some(guard) = self.guard.as_mut().filter(|guard| guard.pid == pid) else {
            return;
        };
        if guard.stopped_until > t {
            if timer == Timer::Beat && self.plant == Some(Plant::FreeBeat) {
                self.with_guard(Self::stamp);
                self.at(timer.every(), Event::Timer(pid, timer));
            } else if !guard.due.contains(&timer) {
                guard.due.push(timer);
            }
            return;
        }
        self.at(timer.every(), Event::Timer(pid, timer));
        self.with_guard(|world, guard| world.take_timer(guard, timer));
    }

    /// SIGCONT: what fell due and what waits is worked off, in an order that the loop chooses.
    pub fn guard_continues(&mut self, pid: u32) {
        let t = self.t;
        let Some(guard) = self.guard.as_mut().filter(|guard| guard.pid == pid) else {
            return;
        };
        if guard.stopped_until > t {
            return;
        }
        if t - guard.stopped_at >= LEASE_NS {
            guard.away_at = t;
        }
        let inbox = std::mem::take(&mut guard.inbox);
        let due = std::mem::take(&mut guard.due);
        for timer in &due {
            self.at(timer.every(), Event::Timer(pid, *timer));
        }
        let cut = self.rng.range(0, due.len() as i64 + 1) as usize;
        for timer in &due[..cut] {
            self.with_guard(|world, guard| world.take_timer(guard, *timer));
        }
        for packet in inbox {
            self.with_guard(|world, guard| world.take_packet(guard, packet));
        }
        for timer in &due[cut..] {
            self.with_guard(|world, guard| world.take_timer(guard, *timer));
        }
    }

    fn take_timer(&mut self, guard: &mut Guard, timer: Timer) -> Turn {
        self.micro()?;
        match timer {
            Timer::Step => {
                let flags = guard
                    .engine
                    .advance(self.engine_now(), Origin::default(), false);
                self.obey(guard, flags)?;
                guard.stepped_ns = self.now().boot_ns;
                let boot_ns = self.now().boot_ns;
                self.judge_silence(boot_ns, None);
                Ok(())
            }
            Timer::Look => self.look(guard),
            Timer::Beat => self.heart_beats(guard),
            Timer::Second => self.second(guard),
            Timer::References => {
                self.save_references(guard);
                Ok(())
            }
        }
    }

    fn take_packet(&mut self, guard: &mut Guard, packet: Packet) -> Turn {
        self.micro()?;
        match packet {
            Packet::Ping { nonce, life } => {
                guard.asked.insert(life, self.now().boot_ns);
                if self.may_open(guard) {
                    let shown = guard.shown.clone().filter(|_| guard.waits_durable);
                    self.judge_word(guard);
                    let beat = shown.unwrap_or_else(|| guard.beat());
                    self.send_echo(nonce, life, beat);
                }
                Ok(())
            }
            Packet::Snapshot(snapshot) => self.on_snapshot(guard, &snapshot),
            Packet::Proof(payload) => {
                if self.frame(guard, &payload)? & Flags::IGNORED == 0 {
                    self.note_heard(TERMINAL);
                }
                Ok(())
            }
            Packet::Error { payload, before_at } => {
                let flags = self.frame(guard, &payload)?;
                if flags & Flags::HOLE != 0 {
                    self.check.hole_at = Some(self.t.max(before_at));
                    self.lost_at(before_at);
                }
                Ok(())
            }
            Packet::Feed(payload) => {
                if self.frame(guard, &payload)? & Flags::IGNORED == 0 {
                    self.note_heard(FEED);
                    self.check.feed_at = self.t;
                }
                let actions = guard.trading.met("feed");
                self.act(guard, actions)
            }
            Packet::Flat {
                halt_id,
                is_flat,
                t_ns,
            } => {
                guard.heard_ns = Some(self.now().boot_ns);
                let status = if is_flat {
                    Flatten::FlatVerified
                } else {
                    Flatten::NotFlat
                };
                if is_flat {
                    guard.flat_t_ns = t_ns;
                }
                let actions = guard.trading.flattened(ACCOUNT, &halt_id, status);
                self.act(guard, actions)
            }
            Packet::Command(command) => self.on_command(guard, &command),
        }
    }

    /// As `Heart.is_earned`.
    fn is_earned(&self, guard: &Guard) -> bool {
        let boot_ns = self.now().boot_ns;
        let journal_ns = guard.writers.progress_ns(boot_ns);
        let looked_ns = if self.planted(Plant::EarnedBeforeLook) {
            boot_ns
        } else {
            guard.looked_ns
        };
        let parts_ns = [guard.stepped_ns, journal_ns];
        is_earned(boot_ns, &parts_ns, looked_ns, LEASE_NS)
    }

    /// As `Heart.may_open`: the feeds are asked anew, since the last beat may be almost a lease ago.
    fn may_open(&self, guard: &mut Guard) -> bool {
        let is_silent = if self.planted(Plant::FeedByBeat) {
            guard.is_feed_silent
        } else {
            self.is_feed_silent(guard)
        };
        self.is_earned(guard) && !is_silent
    }

    fn is_feed_silent(&self, guard: &mut Guard) -> bool {
        let now = self.engine_now();
        let found = guard.engine.silent_feed("A", FEED_SILENCE_NS, now);
        found.is_ok_and(|silent| silent.is_some()) && !self.planted(Plant::FeedIgnored)
    }

    /// As `Heart.beat`.
    fn heart_beats(&mut self, guard: &mut Guard) -> Turn {
        let boot_ns = self.now().boot_ns;
        let is_away = guard.looked_ns > 0 && boot_ns - guard.looked_ns >= LEASE_NS;
        if is_away && !self.planted(Plant::AwayUnnoticed) {
            guard.fresh.forget();
            self.pause(guard, "away", "AWAY", false)?;
            self.ask_read(guard);
        }
        guard.looked_ns = boot_ns;
        self.look_at_word(guard)?;
        self.judge_snapshots(guard, boot_ns)?;
        self.judge_feeds(guard)?;
        if !self.is_earned(guard) {
            return Ok(());
        }
        self.stamp(guard)?;
        self.greet(guard, boot_ns);
        Ok(())
    }

    /// Stamps the page, after putting another in its place where it was removed.
    fn stamp(&mut self, guard: &mut Guard) -> Turn {
        self.micro()?;
        if !guard.mapped.is_whole() {
            self.renew_page(guard)?;
        }
        self.micro()?;
        if guard.is_feed_silent && !self.planted(Plant::FeedStamps) {
            return Ok(());
        }
        self.judge_word(guard);
        guard.page.beat(self.now().boot_ns as u64);
        self.check.beat(self.t);
        Ok(())
    }

    fn judge_snapshots(&mut self, guard: &mut Guard, boot_ns: i64) -> Turn {
        let is_fresh = guard.fresh.is_fresh(boot_ns);
        let is_asking = !is_fresh || guard.fresh.needs_answer() || guard.hole_request > 0;
        if is_asking && boot_ns - guard.asked_ns >= ASK_NS {
            self.ask_read(guard);
        }
        if is_fresh || guard.trading.waiting().any(|name| name == "snapshot") {
            return Ok(());
        }
        self.pause(guard, "snapshot_age", "SNAPSHOT_AGE", false)
    }

    /// As `Heart._judge_feeds`.
    fn judge_feeds(&mut self, guard: &mut Guard) -> Turn {
        let is_silent = self.is_feed_silent(guard);
        let was_silent = std::mem::replace(&mut guard.is_feed_silent, is_silent);
        if is_silent {
            if !was_silent && self.broker.is_feed_silent {
                self.fire(Fault::FeedSilent);
            }
            return self.pause(guard, "feed_silent", "FEED_SILENT", false);
        }
        if was_silent && !self.planted(Plant::FeedHeld) {
            return self.release(guard, "feed_silent");
        }
        Ok(())
    }

    /// A broker that was silent may have missed an order to flatten.
    fn greet(&mut self, guard: &mut Guard, boot_ns: i64) {
        if guard.heard_ns.is_none_or(|heard| boot_ns - heard > AWAY_NS) {
            guard.heard_ns = Some(boot_ns);
            let halt = guard
                .account()
                .filter(|one| one.flatten != Flatten::FlatVerified);
            if let Some(halt) = halt.and_then(|one| one.halt.clone()) {
                self.send(Link::Broker, Event::ToBroker(Order::Flatten(halt.id)));
            }
        }
    }

    /// As `ManualWatch.look`.
    fn look(&mut self, guard: &mut Guard) -> Turn {
        self.look_at_word(guard)?;
        let current = self.disk.halt_file;
        if current.is_some() && current != guard.seen_file {
            self.halt(guard, "manual")?;
        }
        guard.seen_file = current;
        Ok(())
    }

    pub(super) fn look_at_word(&mut self, guard: &mut Guard) -> Turn {
        let word = guard.page.manual();
        if word != 0 && word != guard.seen_word {
            self.halt(guard, "manual")?;
            self.check.word_seen(self.t, word);
            guard.words.push(word);
        }
        guard.seen_word = word;
        Ok(())
    }

    fn second(&mut self, guard: &mut Guard) -> Turn {
        let actions: Vec<Deed> = guard.trading.tick(self.now());
        self.act(guard, actions)?;
        self.flap_scope(guard)
    }
}
