//! The decisions of `EdgeGuard`: pure state machines that take the time and an event and return what to do.
//!
//! Nothing here reads a clock, does input or output, starts a thread or depends on the order of a hash map:
//! but for the halt page's map and the gate on it, which run in the engine that asks.
//! `docs/TRIGGERS.md` defines every rule.

pub mod account;
mod age;
pub mod baselines;
mod batch;
pub mod book;
pub mod calendar;
pub mod config;
pub mod config_file;
pub mod context;
pub mod convert;
pub mod day;
pub mod deadline;
pub mod decimal;
pub mod decision;
mod dispatch;
pub mod engine;
pub mod error;
mod events;
pub mod facts;
pub mod fills;
pub mod freshness;
pub mod gate;
mod judgement;
pub mod latch_rules;
pub mod lease;
pub mod marking;
pub mod msgpack;
pub mod names;
pub mod operator;
pub mod page;
mod plain;
pub mod price;
pub mod profile;
pub mod reaction;
pub mod references;
mod routes;
pub mod scope;
pub mod sequence;
pub mod session;
pub mod spectrum;
pub mod start;
pub mod status;
mod streams;
pub mod symbol;
pub mod tick_file;
pub mod tick_merge;
pub mod ticks;
pub mod trading_state;
pub mod triggers;
pub mod trip;
pub mod types;
pub mod wall;
pub mod window;
pub mod wire;
