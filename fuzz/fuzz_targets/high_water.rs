//! `high_water` for libFuzzer. What it does and asks stands in tests/hostile.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rescind_hostile::targets::run("high_water", bytes));
