//! Files that are not text, by the bytes they start with, and what to do about each.

use crate::error::StreamError;

/// The start of pcapng, which looks like blank lines.
pub(crate) const PCAPNG_MAGIC: &[u8] = b"\n\r\r\n";

/// A kind of file that is not a log.
struct Kind {
    /// Where its mark is.
    offset: usize,
    marks: &'static [&'static [u8]],
    name: &'static str,
    fix: &'static str,
}

const KINDS: [Kind; 17] = [
    at_start(
        &[
            b"\xD4\xC3\xB2\xA1",
            b"\xA1\xB2\xC3\xD4",
            b"\x4D\x3C\xB2\xA1",
            b"\xA1\xB2\x3C\x4D",
            PCAPNG_MAGIC,
            b"snoop\0",
        ],
        "a packet capture",
        "run `zeek -r FILE LogAscii::use_json=T` or `suricata -r FILE` on it, and take the conn.log or eve.json that it writes",
    ),
    at_start(
        &[b"\x0C\xA5", b"\xA5\x0C"],
        "flows of nfcapd",
        "let the exporter send its flows to a source of kind netflow as well, or write them as CSV with `nfdump -r FILE -o csv` \
         and map its columns",
    ),
    Kind {
        offset: 257,
        marks: &[b"ustar"],
        name: "a tar archive",
        fix: "unpack it; `tar xOf FILE` writes what is in it to standard output",
    },
    at_start(
        &[b"PK\x03\x04", b"PK\x05\x06"],
        "a zip archive",
        "unpack it; `unzip -p FILE` writes what is in it to standard output",
    ),
    at_start(
        &[b"7z\xBC\xAF\x27\x1C"],
        "a 7z archive",
        "unpack it; `7z x -so FILE` writes what is in it to standard output",
    ),
    at_start(&[b"Rar!\x1A"], "a rar archive", "unpack it"),
    at_start(&[b"BZh"], "bzip2", "decompress it first, with `bzip2 -dc FILE`"),
    at_start(&[b"\xFD7zXZ"], "xz", "decompress it first, with `xz -dc FILE`"),
    at_start(&[b"\x04\x22\x4D\x18"], "lz4", "decompress it first, with `lz4 -dc FILE`"),
    at_start(&[b"\x1F\x8B", b"\x1F\x9D"], "gzip", "decompress it first"),
    at_start(&[b"\x28\xB5\x2F\xFD"], "zstd", "decompress it first"),
    at_start(&[b"PAR1"], "Parquet", "export the table as JSON, one record a line"),
    at_start(
        &[b"Obj\x01", b"ORC\n", b"ORC\0", b"ARROW1\0"],
        "a table of Avro, ORC or Arrow",
        "export the table as JSON, one record a line",
    ),
    at_start(&[b"SQLite format 3\0"], "an SQLite database", "export the table as CSV or JSON"),
    at_start(
        &[b"LPKSHHRH"],
        "a journal of systemd",
        "write it as JSON with `journalctl --file FILE -o json`",
    ),
    at_start(
        &[b"\x30\0\0\0LfLe"],
        "an event log of Windows before Vista",
        "Sysmon writes .evtx files; export those",
    ),
    at_start(&[b"\xFF\xFE", b"\xFE\xFF"], "UTF-16", "save it as UTF-8"),
];

/// What to do about data of no known kind.
const EXPORT: &str = "export the log as text";

const fn at_start(marks: &'static [&'static [u8]], name: &'static str, fix: &'static str) -> Kind {
    Kind { offset: 0, marks, name, fix }
}

/// Refuses the start of a stream that is not text: by the marks of known kinds, and by NUL bytes.
pub(crate) fn check_text(start: &[u8]) -> Result<(), StreamError> {
    let is_of = |kind: &&Kind| {
        let text = start.get(kind.offset..).unwrap_or_default();
        kind.marks.iter().any(|mark| text.starts_with(mark))
    };
    if let Some(kind) = KINDS.iter().find(is_of) {
        return Err(StreamError::Binary { looks_like: kind.name, way_out: kind.fix });
    }
    if memchr::memchr(0, start).is_some() {
        return Err(StreamError::Binary { looks_like: "null bytes", way_out: EXPORT });
    }
    Ok(())
}

/// That a stream is not text at all.
pub(crate) const fn not_utf8() -> StreamError {
    StreamError::Binary { looks_like: "no text in UTF-8", way_out: EXPORT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(start: &[u8]) -> String {
        check_text(start).unwrap_err().to_string()
    }

    #[test]
    fn binary_files_are_named_with_fix() {
        let mut tar = vec![0; 512];
        tar[..8].copy_from_slice(b"conn.log");
        tar[257..262].copy_from_slice(b"ustar");
        for (start, name, fix) in [
            (&b"\xD4\xC3\xB2\xA1\x02\0\x04\0"[..], "a packet capture", "zeek -r"),
            (b"\n\r\r\n\x1c\0\0\0", "a packet capture", "suricata -r"),
            (b"\x0C\xA5\x02\0", "flows of nfcapd", "nfdump -r"),
            (&tar, "a tar archive", "tar xOf"),
            (b"PK\x03\x04\x14\0", "a zip archive", "unzip -p"),
            (b"BZh91AY", "bzip2", "bzip2 -dc"),
            (b"\xFD7zXZ\0\0", "xz", "xz -dc"),
            (b"PAR1\x15\x04", "Parquet", "as JSON"),
            (b"a\0b", "null bytes", "as text"),
        ] {
            let message = refusal(start);
            assert!(
                message.starts_with(&format!("binary data ({name}); ")) && message.contains(fix),
                "{message}"
            );
        }
        assert_eq!(check_text(b"{\"a\":1}"), Ok(()));
    }
}
