//! Samples of every format with bytes changed, cut out, doubled or moved: whatever comes of it, each record ends in one place, and
//! how the stream is cut does not show. The fuzz targets look further; this is what every test run replays.

use crate::support::{read, read_pieces};
use ipstats_formats::{Format, FormatChoice, Limits, Settings};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// Longest sample that is mutated whole, in bytes; of longer ones, files of binary chunks, the start is.
const SAMPLE_BYTES_MAX: usize = 24_000;

static SAMPLES: LazyLock<Vec<(Format, Vec<u8>)>> = LazyLock::new(|| {
    let folder = |format: Format| Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format.name());
    let samples = Format::ALL.into_iter().flat_map(|format| {
        let files = fs::read_dir(folder(format)).unwrap().map(|file| file.unwrap().path());
        let samples = files.filter(|path| path.extension().is_none_or(|extension| extension != "expected"));
        samples.map(move |path| (format, fs::read(path).unwrap()))
    });
    samples.map(|(format, sample)| (format, sample[..sample.len().min(SAMPLE_BYTES_MAX)].to_vec())).collect()
});

/// Bytes that mean something to some format.
const TELLING: &[u8] = b"\"\\{}[],:\n\r\t #-0\xff\x00\xed";

#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Cut(Index, usize),
    Double(Index, usize),
    Insert(Index, Vec<u8>),
    End(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = prop_oneof![select(TELLING), any::<u8>()];
    prop_oneof![
        6 => (any::<Index>(), byte.clone()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        2 => (any::<Index>(), 1_usize..200).prop_map(|(place, length)| Change::Cut(place, length)),
        2 => (any::<Index>(), 1_usize..200).prop_map(|(place, length)| Change::Double(place, length)),
        2 => (any::<Index>(), proptest::collection::vec(byte, 1..20)).prop_map(|(place, bytes)| Change::Insert(place, bytes)),
        1 => any::<Index>().prop_map(Change::End),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Byte(place, byte) => {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            Change::Cut(place, length) => {
                let start = place.index(bytes.len());
                let end = (start + length).min(bytes.len());
                bytes.drain(start..end);
            }
            Change::Double(place, length) => {
                let start = place.index(bytes.len());
                let piece = bytes[start..(start + length).min(bytes.len())].to_vec();
                bytes.splice(start..start, piece);
            }
            Change::Insert(place, piece) => {
                let start = place.index(bytes.len());
                bytes.splice(start..start, piece.iter().copied());
            }
            Change::End(place) => bytes.truncate(place.index(bytes.len())),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn mutated_samples_are_read_to_their_end(
        sample in any::<Index>(),
        changes in proptest::collection::vec(change(), 1..8),
        auto: bool,
        line_bytes_max in prop_oneof![4 => Just(1 << 20), 1 => 40_usize..400],
        size in prop_oneof![1_usize..60, 200_usize..5000],
    ) {
        let (format, bytes) = &SAMPLES[sample.index(SAMPLES.len())];
        let bytes = changed(bytes.clone(), &changes);
        let choice = if auto { FormatChoice::Auto } else { FormatChoice::Exactly(*format) };
        let settings = Settings { limits: Limits { line_bytes_max }, ..Settings::default() };
        let whole = read(choice, &settings, &bytes);
        prop_assert_eq!(read_pieces(choice, &settings, bytes.chunks(size)), whole, "{}", format);
    }
}

#[test]
fn every_format_has_a_sample_here() {
    for format in Format::ALL {
        assert!(SAMPLES.iter().any(|(of, sample)| *of == format && !sample.is_empty()), "{format}");
    }
}
