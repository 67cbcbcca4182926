//! EVTX files of our own making, after Microsoft's description of the format (MS-EVEN6, 2.2.12), and what is read of them.

use crate::support::{frames, read, read_auto, read_pieces};
use ipstats_formats::{Format, FormatChoice, Limits, Settings};
use proptest::prelude::*;
use proptest::sample::Index;
use std::path::Path;

const FILE_HEADER_BYTES: usize = 4096;
const CHUNK_BYTES: usize = 1 << 16;
const CHUNK_HEADER_BYTES: usize = 512;
const RECORD_HEADER_BYTES: usize = 24;

/// An event: provider, event id, and its named data.
type Event<'a> = (&'a str, u32, &'a [(&'a str, &'a str)]);

/// BinXML that starts at `base` in its chunk: names follow where they are first used.
struct BinXml {
    base: usize,
    bytes: Vec<u8>,
}

impl BinXml {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn number(&mut self, number: usize, bytes: usize) -> &mut Self {
        self.put(&number.to_le_bytes()[..bytes])
    }

    fn utf16(&mut self, text: &str) -> &mut Self {
        self.bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        self
    }

    /// A reference to a name that follows: link, hash, length, text, null.
    fn name(&mut self, name: &str) -> &mut Self {
        let here = self.base + self.bytes.len();
        self.number(here + 4, 4).number(0, 6).number(name.len(), 2).utf16(name).number(0, 2)
    }

    fn string(&mut self, text: &str) -> &mut Self {
        self.put(&[0x05, 0x01]).number(text.encode_utf16().count(), 2).utf16(text)
    }

    /// An element with one attribute or none, up to its content.
    fn open(&mut self, name: &str, attribute: Option<(&str, &str)>) -> &mut Self {
        let token = if attribute.is_some() { 0x41 } else { 0x01 };
        self.put(&[token]).number(0, 4).name(name);
        if let Some((name, value)) = attribute {
            self.number(0, 4).put(&[0x06]).name(name).string(value);
        }
        self.put(&[0x02])
    }

    fn close(&mut self) -> &mut Self {
        self.put(&[0x04])
    }

    fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name, None).string(text).close()
    }

    fn event(&mut self, (provider, id, data): Event<'_>) {
        self.put(&[0x0f, 1, 1, 0]).open("Event", None).open("System", None);
        self.open("Provider", Some(("Name", provider))).close().element("EventID", &id.to_string());
        self.element("Channel", "Microsoft-Windows-Sysmon/Operational")
            .element("Computer", "WS-17.Corp.example");
        self.close().open("EventData", None);
        for (name, value) in data {
            self.open("Data", Some(("Name", name))).string(value).close();
        }
        self.close().close().put(&[0]);
    }
}

/// A chunk of these events.
fn chunk(events: &[Event<'_>]) -> Vec<u8> {
    let mut chunk = vec![0; CHUNK_HEADER_BYTES];
    let mut last = 0;
    for (number, event) in events.iter().enumerate() {
        last = chunk.len();
        let mut content = BinXml { base: last + RECORD_HEADER_BYTES, bytes: Vec::new() };
        content.event(*event);
        let size = RECORD_HEADER_BYTES + content.bytes.len() + 4;
        let mut record = BinXml { base: 0, bytes: Vec::new() };
        record.put(b"**\0\0").number(size, 4).number(number + 1, 8);
        record.number(132_000_000_000_000_000, 8).put(&content.bytes).number(size, 4);
        chunk.extend(record.bytes);
    }
    let mut header = BinXml { base: 0, bytes: Vec::new() };
    header.put(b"ElfChnk\0").number(1, 8).number(events.len(), 8).number(1, 8).number(events.len(), 8);
    header.number(128, 4).number(last, 4).number(chunk.len(), 4);
    chunk[..header.bytes.len()].copy_from_slice(&header.bytes);
    chunk.resize(CHUNK_BYTES, 0);
    chunk
}

fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut file = BinXml { base: 0, bytes: Vec::new() };
    file.put(b"ElfFile\0").number(0, 8).number(chunks.len().saturating_sub(1), 8).number(1, 8);
    file.number(128, 4).number(1, 2).number(3, 2).number(FILE_HEADER_BYTES, 2).number(chunks.len(), 2);
    file.bytes.resize(FILE_HEADER_BYTES, 0);
    [file.bytes, chunks.concat()].concat()
}

const SYSMON: &str = "Microsoft-Windows-Sysmon";

fn connection<'a>(data: &'a [(&'a str, &'a str)]) -> Event<'a> {
    (SYSMON, 3, data)
}

/// The sample file: two chunks, and one that is not used yet.
fn sample() -> Vec<u8> {
    let events = [
        connection(&[
            ("RuleName", "-"),
            ("UtcTime", "2026-11-01 10:00:00.817"),
            ("Initiated", "true"),
            ("SourceIp", "10.0.0.5"),
            ("DestinationIp", "203.0.113.7"),
        ]),
        connection(&[
            ("UtcTime", "2026-11-01 10:00:01.000"),
            ("Initiated", "false"),
            ("DestinationIp", "10.0.0.5"),
        ]),
        (SYSMON, 1, &[("UtcTime", "2026-11-01 10:00:02.000"), ("Image", "C:\\b.exe")]),
        ("Microsoft-Windows-Other", 3, &[("UtcTime", "2026-11-01 10:00:02.000")]),
    ];
    let more = [
        connection(&[
            ("UtcTime", "2026-11-01 10:00:03.000"),
            ("Initiated", "true"),
            ("DestinationIp", "fe80:0:0:0:0:0:0:1"),
        ]),
        connection(&[("UtcTime", "yesterday"), ("Initiated", "true"), ("DestinationIp", "203.0.113.7")]),
    ];
    file(&[chunk(&events), chunk(&more), vec![0; CHUNK_BYTES]])
}

#[test]
fn the_sample_file_is_what_is_made_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sysmon-evtx/sysmon.evtx");
    if std::env::var_os("IPSTATS_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, sample()).unwrap();
    }
    assert!(std::fs::read(path).unwrap() == sample());
}

#[test]
fn files_may_follow_each_other_and_be_cut_off() {
    let one = read_auto(sample());
    let two = read_auto([sample(), sample()].concat());
    assert_eq!(two.connections, [one.connections.as_slice(), &one.connections].concat());
    assert_eq!((two.tally.records(), two.tally.malformed()), (2 * one.tally.records(), 2));

    let cut = read_auto(&sample()[..FILE_HEADER_BYTES + CHUNK_BYTES + 9000]);
    assert_eq!(cut.connections, one.connections[..1]);
    assert_eq!(cut.issues(), ["line 2: cut off in the middle"]);
    assert_eq!(read_auto(&sample()[..FILE_HEADER_BYTES]).tally.records(), 0);
}

#[test]
fn pauses_do_not_show_and_another_framer_reads_on() {
    let whole = read_auto(sample());
    let (mut before, _, _) = frames(FormatChoice::Auto, Limits::default(), []);
    let mut stream = ipstats_formats::Framer::new(FormatChoice::Auto, Limits::default());
    let stop = FILE_HEADER_BYTES + CHUNK_BYTES + 100;
    stream.feed(&sample()[..stop], &mut before).unwrap();
    stream.cut(&mut before).unwrap();
    assert_eq!((before.len(), stream.held_bytes()), (1, 100));
    let rest = [stream.header(), &sample()[stop - 100..]].concat();
    let after = read(Format::SysmonEvtx, &Settings::default(), &rest);
    assert_eq!(after.connections, whole.connections[1..]);
}

#[test]
fn a_file_of_another_kind_is_refused() {
    for (choice, bytes) in [(FormatChoice::Zeek, sample()), (Format::SysmonEvtx.into(), b"{}\n".to_vec())] {
        let got = read(choice, &Settings::default(), &bytes);
        assert!(got.error.is_some() && got.tally.records() == 0, "{choice}");
    }
    let error = read(FormatChoice::Zeek, &Settings::default(), &sample()).error.unwrap().to_string();
    assert!(error.starts_with("looks like sysmon-evtx, not zeek"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Bytes that are changed anywhere in records and headers cost no more than the chunk they are in, and the borders of
    /// pieces do not show.
    #[test]
    fn damaged_files_are_read_to_their_end(
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..12),
        size in 1000_usize..70_000,
    ) {
        let mut bytes = sample();
        for (place, byte) in changes {
            let place = FILE_HEADER_BYTES + place.index(3500);
            bytes[place] = byte;
        }
        let whole = read_auto(&bytes);
        prop_assert_eq!(&read_pieces(FormatChoice::Auto, &Settings::default(), bytes.chunks(size)), &whole);
        prop_assert_eq!(whole.connections.last().map(String::as_str), Some("ws-17.corp.example fe80::1 2026-11-01T10:00:03Z"));
    }
}
