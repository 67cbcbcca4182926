//! Defender DeviceNetworkEvents, every export.
#![no_main]

use ipstats_formats::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::check(
    data,
    &[Format::MdeStreaming, Format::MdeHuntingCsv, Format::MdeHuntingJson]
));
