//! The fuzz targets of `make fuzz` without their fuzzer: they compile with every test run, hold for a
//! few seeded inputs, and every input that once broke one is a test here.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a test says in its name what it claims"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop on what it did not expect"
)]

mod step;
mod ticks;
mod wire;

/// Bytes that look like nothing, of every length up to a few records.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn noise_breaks_no_target() {
    for seed in 1..300 {
        let data = noise(seed, usize::try_from(seed).unwrap());
        step::run(&data);
        ticks::run(&data);
        wire::run(&data);
    }
}

#[test]
fn nothing_breaks_no_target() {
    step::run(&[]);
    ticks::run(&[]);
    wire::run(&[]);
}
