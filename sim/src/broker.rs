//! The broker's parent, the execution engine's error reports and a feed: what speaks to the guard.

use std::rc::Rc;

use crate::faults::Fault;
use crate::frames::{Head, error, heartbeat, proof, snapshot};
use crate::network::{Link, Order, Packet, Snapshot};
use crate::world::{Event, MS, SECOND, World};

const POLL_NS: i64 = 250 * MS;
const ERROR_NS: i64 = 700 * MS;
const FEED_NS: i64 = 300 * MS;
/// Cents with which the account begins.
pub const EQUITY: i64 = 10_000_000;

/// The account as the broker has it.
#[derive(Debug)]
pub struct Broker {
    pub equity: i64,
    pub has_exposure: bool,
    pub is_silent: bool,
    /// The halt on whose behalf everything is closed.
    armed: Option<String>,
    is_closing: bool,
    seq: i64,
    error_seq: i64,
    error_at: i64,
    /// How the next snapshots are spoilt.
    pub spoil_money: u32,
    pub spoil_identity: u32,
    pub lose_error: bool,
    pub is_slow: bool,
    feed_seq: i64,
    pub is_feed_silent: bool,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            equity: EQUITY,
            has_exposure: true,
            is_silent: false,
            armed: None,
            is_closing: false,
            seq: 0,
            error_seq: 0,
            error_at: 0,
            spoil_money: 0,
            spoil_identity: 0,
            lose_error: false,
            is_slow: false,
            feed_seq: 0,
            is_feed_silent: false,
        }
    }
}

impl World {
    fn head(&self, seq: i64) -> Head {
        Head {
            epoch: 1,
            seq,
            t_ns: self.broker_wall(),
        }
    }

    pub fn broker_polls(&mut self) {
        self.at(POLL_NS, Event::Poll);
        if !self.broker.is_silent {
            self.publish(0);
        }
    }

    /// Publishes a snapshot and the terminal's proof.
    fn publish(&mut self, request: i64) {
        self.broker.seq += 1;
        let head = self.head(self.broker.seq);
        let mut equity = Some(self.broker.equity);
        if self.broker.spoil_money > 0 {
            self.broker.spoil_money -= 1;
            equity = None;
            self.fire(Fault::BadSnapshot);
        }
        let is_foreign = self.broker.spoil_identity > 0;
        if is_foreign {
            self.broker.spoil_identity -= 1;
            self.fire(Fault::ForeignSnapshot);
        }
        let packet = Packet::Snapshot(Snapshot {
            payload: Rc::new(snapshot(head, equity)),
            t_ns: head.t_ns,
            request,
            equity,
            is_foreign,
            has_exposure: self.broker.has_exposure,
            read_at: self.t,
        });
        self.send(Link::Broker, Event::ToGuard(packet));
        self.send(
            Link::Broker,
            Event::ToGuard(Packet::Proof(Rc::new(proof(head)))),
        );
    }

    pub fn broker_hears(&mut self, order: Order) {
        if self.broker.is_silent {
            return;
        }
        match order {
            Order::Read(request) => self.publish(request),
            Order::Flatten(halt_id) => {
                if self.broker.armed.as_ref() == Some(&halt_id) && self.broker.is_closing {
                    return;
                }
                self.broker.is_closing = true;
                self.broker.armed = Some(halt_id.clone());
                let mut delay = self.rng.range(20, 400) * MS;
                if self.broker.is_slow {
                    self.fire(Fault::NotFlat);
                    self.tell_flat(&halt_id, false);
                    delay += 4 * SECOND;
                }
                self.at(delay, Event::FlattenEnds(halt_id));
            }
            Order::Stop => self.broker.armed = None,
        }
    }

    pub fn flatten_ends(&mut self, halt_id: &str) {
        if self.broker.armed.as_deref() == Some(halt_id) {
            self.broker.is_closing = false;
            self.broker.has_exposure = false;
            self.tell_flat(halt_id, true);
        }
    }

    fn tell_flat(&mut self, halt_id: &str, is_flat: bool) {
        let packet = Packet::Flat {
            halt_id: halt_id.to_owned(),
            is_flat,
            t_ns: self.broker_wall(),
        };
        self.send(Link::Broker, Event::ToGuard(packet));
    }

    /// The execution engine reports an error; in a fault's reach one report is lost on the way.
    pub fn engine_errs(&mut self) {
        self.at(ERROR_NS, Event::ErrorMessage);
        self.broker.error_seq += 1;
        let before_at = std::mem::replace(&mut self.broker.error_at, self.t);
        if std::mem::take(&mut self.broker.lose_error) {
            self.fire(Fault::Hole);
            return;
        }
        let payload = Rc::new(error(self.head(self.broker.error_seq)));
        self.at(MS, Event::ToGuard(Packet::Error { payload, before_at }));
    }

    pub fn feed_speaks(&mut self) {
        self.at(FEED_NS, Event::Feed);
        if self.broker.is_feed_silent {
            return;
        }
        self.broker.feed_seq += 1;
        let payload = Rc::new(heartbeat(self.head(self.broker.feed_seq)));
        self.at(MS, Event::ToGuard(Packet::Feed(payload)));
    }
}
