#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::tokens(data));
