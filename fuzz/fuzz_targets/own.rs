//! Our own NDJSON and CSV.
#![no_main]

use ipstats_formats::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::check(
    data,
    &[Format::IpstatsNdjson, Format::IpstatsCsv]
));
