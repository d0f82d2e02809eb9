//! What is done with the bytes, and must hold, is in `core_rs/tests/fuzzed`, which every test run compiles.

#![no_main]

#[path = "../../tests/fuzzed/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::run(data));
