//! Recognizing a format from its first lines, and reading on as what it was recognized as.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::check(data, &[]));
