//! Little that unfolds to much.

use super::{JSON, STREAMED_MIB_MAX, Target, WHOLE_MIB_MAX, megabytes};
use crate::site::Protocol;
use std::io::Write;

fn compressed<W: Write>(
    mut encoder: W,
    megabytes_of_zeros: usize,
    end: impl FnOnce(W) -> Vec<u8>,
) -> Vec<u8> {
    for part in megabytes(megabytes_of_zeros, b'0') {
        encoder.write_all(&part).unwrap();
    }
    end(encoder)
}

fn gzip(megabytes: usize) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed(encoder, megabytes, |encoder| encoder.finish().unwrap())
}

fn deflate(megabytes: usize) -> Vec<u8> {
    let encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed(encoder, megabytes, |encoder| encoder.finish().unwrap())
}

fn zstd(megabytes: usize) -> Vec<u8> {
    let encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    compressed(encoder, megabytes, |encoder| encoder.finish().unwrap())
}

#[test]
fn bombs() {
    let target = Target::new();
    let nested = {
        let mut outer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        outer.write_all(&gzip(101)).unwrap();
        outer.finish().unwrap()
    };
    assert!(nested.len() < 100_000, "{}", nested.len());
    for (protocol, mib_max) in
        [(Protocol::Bulk, STREAMED_MIB_MAX), (Protocol::Hec, WHOLE_MIB_MAX), (Protocol::Otlp, WHOLE_MIB_MAX)]
    {
        for (encoding, bomb) in [
            ("gzip", gzip(101)),
            ("deflate", deflate(101)),
            ("zstd", zstd(101)),
            ("gzip, gzip", nested.clone()),
        ] {
            let what = format!("{protocol:?}, {encoding}");
            let (status, answer) = target.under(mib_max, &what, || {
                target.post(protocol.path(), &format!("{JSON}Content-Encoding: {encoding}\r\n"), [&bomb])
            });
            assert_eq!(status, 413, "{what}: {answer}");
        }
    }
    // One that is within the limit of its place, and one beyond it.
    for (megabytes, expected, piece) in
        [(1000, 200, "\"malformed\":1"), (1025, 413, "longer than 1073741824 bytes")]
    {
        let bomb = zstd(megabytes);
        let what = format!("plain, {megabytes} MiB");
        let (status, answer) =
            target.under(STREAMED_MIB_MAX, &what, || target.post("/api/ingest/ndjson", JSON, [&bomb]));
        assert!(status == expected && answer.contains(piece), "{what}: {status} {answer}");
    }
    target.assert_well();
}
