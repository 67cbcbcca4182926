//! What agents on hosts write: Sysmon and osquery.
#![no_main]

use ipstats_formats::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::check(data, &[Format::SysmonJson, Format::SysmonEvtx, Format::Osquery]));
