//! A stream that is followed: cut wherever it pauses, and read on by another framer after a restart.

use crate::support::{Read, read};
use ipstats_formats::{Format, FormatChoice, Frame, Framer, Limits, Settings, Tally};
use ipstats_model::Batch;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Lines of each layout; those of one stream in any order behind the first.
const STREAMS: [(Format, &str, &[&str]); 6] = [
    (
        Format::ZeekTsv,
        "#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n",
        &[
            "7\t10.0.0.1\t8.8.8.8\tSF\n",
            "8\t10.0.0.2\t8.8.4.4\tS0\n",
            "#fields\tconn_state\tts\tid.resp_h\tid.orig_h\n#types\tx\n",
            "SF\t9\t8.8.8.8\t10.0.0.3\n",
            "#separator ,\n#fields,ts,id.orig_h,id.resp_h,conn_state\n",
            "10,10.0.0.4,8.8.8.8,SF\n",
            "#close\t2026\n",
            "#path\tdns\n",
        ],
    ),
    (
        Format::IpstatsCsv,
        "\ntime,device,x,ip\n",
        &["5,pc,,8.8.8.8\n", "6,\"a\nb\",1,8.8.4.4\r\n", "7,pc,\"\"\"\",8.8.8.8\n", "?\n"],
    ),
    (
        Format::ZeekJson,
        "",
        &[
            "{\"ts\":7.5,\"id.orig_h\":\"10.0.0.1\",\"id.resp_h\":\"8.8.8.8\",\"conn_state\":\"SF\"}\n",
            "{\"ts\":8,\"id.orig_h\":\"10.0.0.2\",\"id.resp_h\":\"8.8.4.4\",\"conn_state\":\"S0\"}\n",
            "{\"ts\":}\n",
        ],
    ),
    (
        Format::VpcFlow,
        "",
        &[
            "2 1 eni-1 10.0.0.1 8.8.8.8 1 2 6 1 1 1793527200 7 ACCEPT OK\n",
            "start dstaddr action srcaddr\n",
            "1793527200 8.8.8.8 ACCEPT 10.0.0.1\r\n",
            "1793527200 8.8.4.4 REJECT 10.0.0.1\n",
            "\n",
        ],
    ),
    (
        Format::Suricata,
        "",
        &[
            "{\"event_type\":\"flow\",\"timestamp\":\"\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"8.8.8.8\",\
             \"flow\":{\"start\":\"2026-11-01T10:00:00Z\",\"state\":\"closed\"}}\n",
            "{\"event_type\":\"dns\",\"timestamp\":\"\"}\n",
        ],
    ),
    (
        Format::IpstatsNdjson,
        "[\n",
        &[
            "{\"device\":\"a\",\"ip\":\"8.8.8.8\",\n\"time\":5},\n",
            "{\"device\":\"b\",\"ip\":\"8.8.4.4\",\"time\":6},{\"device\":\"c\",\"ip\":\"8.8.4.4\",\"time\":7},\n",
        ],
    ),
];

fn stream() -> impl Strategy<Value = (Format, String)> {
    select(&STREAMS[..]).prop_flat_map(|(format, first, lines)| {
        let lines = proptest::collection::vec(select(lines), 1..12);
        lines.prop_map(move |lines| (format, format!("{first}{}", lines.concat())))
    })
}

/// What frames say, without the lines on which they say it.
fn parsed(frames: &[Frame]) -> (Vec<String>, u64) {
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    frames.iter().for_each(|frame| frame.parse(&Settings::default(), &mut batch, &mut tally));
    let names: Vec<_> = batch.devices().collect();
    let shown = |row: &ipstats_model::Row| format!("{} {} {}", names[row.device as usize], row.ip, row.at);
    (batch.rows().iter().map(shown).collect(), tally.records())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn pauses_do_not_show((format, text) in stream(), size in 1_usize..60) {
        let mut framer = Framer::new(format.into(), Limits::default());
        let mut frames = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            framer.feed(piece, &mut frames).unwrap();
            framer.cut(&mut frames).unwrap();
        }
        framer.finish(&mut frames).unwrap();
        let Read { connections, tally, .. } = read(format, &Settings::default(), text.as_bytes());
        prop_assert_eq!(parsed(&frames), (connections, tally.records()));
    }

    #[test]
    fn another_framer_reads_on((format, text) in stream(), stop in any::<Index>()) {
        let fed = stop.index(text.len() + 1);
        let mut framer = Framer::new(format.into(), Limits::default());
        let mut frames = Vec::new();
        framer.feed(&text.as_bytes()[..fed], &mut frames).unwrap();
        framer.cut(&mut frames).unwrap();
        let given = fed - framer.held_bytes();

        let choice = framer.format().map_or(FormatChoice::Exactly(format), FormatChoice::Exactly);
        let mut next = Framer::new(choice, Limits::default());
        next.feed(framer.header(), &mut frames).unwrap();
        next.feed(&text.as_bytes()[given..], &mut frames).unwrap();
        next.finish(&mut frames).unwrap();
        let whole = read(format, &Settings::default(), text.as_bytes());
        prop_assert_eq!(parsed(&frames), (whole.connections, whole.tally.records()));
    }
}

/// A log that is rotated daily says its header again every day: what is kept of it does not grow.
#[test]
fn the_header_that_is_kept_is_the_one_in_force() {
    let mut framer = Framer::new(FormatChoice::Auto, Limits::default());
    let day = "#separator \\x09\n#set_separator\t,\n#path\tconn\n#open\tnow\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n\
               7\t10.0.0.1\t8.8.8.8\tSF\n#close\tthen\n";
    let mut given = Vec::new();
    for _ in 0..3 {
        framer.feed(day.as_bytes(), &mut given).unwrap();
        framer.cut(&mut given).unwrap();
    }
    let header = String::from_utf8_lossy(framer.header());
    assert_eq!(header, "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n");
    assert_eq!(framer.held_bytes(), 0);
}

/// What is said behind `#fields` is for the next `#fields`, also where another framer reads on.
#[test]
fn a_header_line_behind_the_columns_is_not_in_force_yet() {
    let text = "#separator \\x09\n#unset_field\t8.8.8.8\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n\
                #unset_field\t-\n#unset_field\t8.8.8.8\n#unset_field\t-\n\
                7\t10.0.0.1\t8.8.8.8\tSF\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n8\t10.0.0.1\t8.8.8.8\tSF\n";
    let whole = read(FormatChoice::Auto, &Settings::default(), text.as_bytes());
    assert_eq!(whole.connections, ["10.0.0.1 8.8.8.8 1970-01-01T00:00:08Z"]);
    let (head, rest) = text.split_once("7\t").unwrap();
    let mut first = Framer::new(FormatChoice::Auto, Limits::default());
    first.feed(head.as_bytes(), &mut Vec::new()).unwrap();
    first.cut(&mut Vec::new()).unwrap();
    let next = [first.header(), b"7\t", rest.as_bytes()].concat();
    assert_eq!(read(Format::ZeekTsv, &Settings::default(), &next).connections, whole.connections);
}
