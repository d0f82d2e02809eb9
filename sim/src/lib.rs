//! A seeded simulation of guard, gates, store and network on a virtual clock.
//!
//! The machines that decide are the shipped ones of `edgeguard-core`: the engine, the trading state, the
//! remote gate's lease, the page's writer and judge, the rules of a start, of freshness and of what is
//! durable. Around them stands a model of the Python shell (`guard/`), of two gates, of a broker, of a
//! disk that can be slow, failing, hung or cut off, and of a network that loses, doubles and reorders.
//! A seed chooses which faults there are; `check.rs` judges every answer of a gate by the promises.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a simulation may stop on what it did not expect, and its numbers are small"
)]
#![allow(
    clippy::struct_excessive_bools,
    clippy::wildcard_enum_match_arm,
    reason = "the world has many switches, and each match on a fault takes its own kind of fault"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "nobody builds against a simulation"
)]

pub mod broker;
pub mod campaign;
pub mod check;
pub mod disk;
pub mod faults;
pub mod frames;
pub mod gates;
pub mod guard;
pub mod judge;
pub mod memory_page;
pub mod network;
pub mod operator;
pub mod plants;
pub mod report;
pub mod rng;
pub mod world;
pub mod world_faults;
