//! Zeek conn.log, TSV and JSON.
#![no_main]

use ipstats_formats::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::check(data, &[Format::ZeekTsv, Format::ZeekJson]));
