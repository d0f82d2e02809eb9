//! The triggers, one file each.

pub mod connection_lost;
pub mod error_rate;
pub mod loss;
pub mod normal;
pub mod price_anomaly;
pub mod price_input;
