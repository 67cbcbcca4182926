//! Windows' events of connections in EVTX files, chunk by chunk, through the `evtx` crate.
//!
//! A chunk of 64 KiB is self-contained: it holds the names and templates of its records. What the crate renders is bounded
//! by the crate (16 MiB a record, and a budget a chunk), so a crafted chunk costs no more than that.

use crate::fields::json;
use crate::formats::windows_event::WindowsEvent;
use crate::outcome::Malformed;
use crate::reader::{Outcome, Reader};
use evtx::{EvtxChunkData, EvtxRecord, ParserSettings};
use std::str;
use std::sync::Arc;

/// Size of a chunk, in bytes.
pub(crate) const CHUNK_BYTES: usize = 1 << 16;

/// Reads the records of a chunk. Space that Windows has not used yet is zeros, and nothing.
pub(crate) fn read_chunk(chunk: &[u8], number: u64, reader: &mut Reader<'_>) {
    if chunk.get(..8).is_some_and(|magic| magic.iter().all(|byte| *byte == 0)) {
        return;
    }
    if chunk.len() < CHUNK_BYTES {
        return reader.record(number, |_| Err(Malformed::CutOff.into()));
    }
    let parsed = EvtxChunkData::new(chunk.to_vec(), false);
    let mut data = match parsed {
        Ok(data) => data,
        Err(error) => return reader.record(number, |_| Err(damaged(&error).into())),
    };
    let mut chunk = match data.parse(Arc::new(ParserSettings::new().num_threads(1))) {
        Ok(chunk) => chunk,
        Err(error) => return reader.record(number, |_| Err(damaged(&error).into())),
    };
    for record in chunk.iter() {
        let rendered = record.and_then(EvtxRecord::into_json_bytes);
        reader.record(number, |reader| match rendered {
            Ok(record) => read(&record.data, reader),
            Err(error) => Err(damaged(&error).into()),
        });
    }
}

fn read(record: &[u8], reader: &mut Reader<'_>) -> Outcome {
    let text = str::from_utf8(record).map_err(|_| Malformed::NotUtf8)?;
    json::object::<WindowsEvent<'_>>(text)?.read(reader)
}

fn damaged(error: &dyn std::error::Error) -> Malformed {
    const SHOWN_CHARACTERS_MAX: usize = 120;
    Malformed::Damaged { reason: error.to_string().chars().take(SHOWN_CHARACTERS_MAX).collect() }
}
