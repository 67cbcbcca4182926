//! The outcome of a record does not depend on how it arrives: alone, after records of other formats, or in a stream.

use crate::samples::samples;
use crate::support::read_auto;
use ipstats_formats::{Format, FormatChoice, RecordReader, Settings, Tally};
use ipstats_model::Batch;
use std::fs;

/// The JSON records of all samples that have one a line.
fn sample_records() -> Vec<String> {
    let mut records = Vec::new();
    for format in FormatChoice::all().filter_map(|choice| match choice {
        FormatChoice::Exactly(format) => Some(format),
        _ => None,
    }) {
        for sample in samples(format) {
            let Ok(text) = String::from_utf8(fs::read(sample).unwrap()) else { continue };
            records.extend(text.lines().filter(|line| line.starts_with('{')).map(str::to_owned));
        }
    }
    records
}

/// Connections and outcomes of the last of `records`, read one by one.
fn read_last(records: &[&str]) -> (Vec<String>, Tally) {
    let settings = Settings::default();
    let mut reader = RecordReader::new(FormatChoice::Auto, &settings);
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    for record in records {
        (batch, tally) = (Batch::new(), Tally::default());
        let _ = reader.read(record.as_bytes(), &settings, &mut batch, &mut tally);
    }
    let names: Vec<_> = batch.devices().map(str::to_owned).collect();
    let rows = batch.rows().iter();
    (rows.map(|row| format!("{} {} {}", names[row.device as usize], row.ip, row.at)).collect(), tally)
}

fn counts(tally: &Tally) -> (u64, Vec<(&'static str, u64)>, u64) {
    let reasons = tally.not_a_connection().map(|(reason, count)| (reason.name(), count)).collect();
    (tally.connections(), reasons, tally.malformed())
}

#[test]
fn outcome_is_independent_of_earlier_records() {
    let records = sample_records();
    assert!(records.len() > 100, "{}", records.len());
    // A record of each format that is counted, bare and in an envelope.
    let mut earlier: Vec<&String> = Vec::new();
    for record in &records {
        let (connections, _) = read_last(&[record]);
        let format = read_auto(record).format;
        if !connections.is_empty() && !earlier.iter().any(|other| read_auto(other).format == format) {
            earlier.push(record);
        }
    }
    assert!(earlier.len() >= 8, "{earlier:?}");
    let wrapped: Vec<String> =
        earlier.iter().map(|record| serde_json::json!({ "message": record }).to_string()).collect();
    for record in &records {
        let (connections, tally) = read_last(&[record]);
        for before in earlier.iter().copied().chain(&wrapped) {
            let after = read_last(&[before, record]);
            assert_eq!((&after.0, counts(&after.1)), (&connections, counts(&tally)), "{before}\n{record}");
        }
    }
}

#[test]
fn outcome_is_the_same_in_stream_and_envelope() {
    for record in sample_records() {
        let (connections, tally) = read_last(&[&record]);
        let stream = read_auto(format!("{{\"a\":1}}\n{record}\n"));
        assert_eq!(stream.connections, connections, "{record}");
        let mut expected = counts(&tally);
        match expected.1.iter_mut().find(|(reason, _)| *reason == "otherEvent") {
            Some((_, count)) => *count += 1,
            None => expected.1.insert(0, ("otherEvent", 1)),
        }
        assert_eq!(counts(&stream.tally), expected, "{record}");
        if serde_json::from_str::<serde::de::IgnoredAny>(&record).is_err() || tally.malformed() > 0 {
            continue;
        }
        let wrapped = serde_json::json!({ "date": 1.5, "log": record }).to_string();
        assert_eq!(read_last(&[&wrapped]).0, connections, "{wrapped}");
    }
}

/// Formats that are asked for by name read their samples as `auto` does.
#[test]
fn json_choice_reads_every_json_format() {
    for format in [Format::ZeekJson, Format::Suricata, Format::Ecs, Format::Ocsf, Format::Osquery] {
        for sample in samples(format) {
            let bytes = fs::read(sample).unwrap();
            let auto = read_auto(&bytes);
            let json = crate::support::read(FormatChoice::Json, &Settings::default(), &bytes);
            assert_eq!((auto.connections, auto.tally), (json.connections, json.tally));
        }
    }
}
