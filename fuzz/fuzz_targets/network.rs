//! What sensors and schemas of many sources write: Suricata, ECS and OCSF.
#![no_main]

use ipstats_formats::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipstats_fuzz::check(data, &[Format::Suricata, Format::VpcFlow, Format::Ecs, Format::Ocsf]));
