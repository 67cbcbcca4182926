//! Messages of syslog, each of which carries a JSON record.
//!
//! Each record is recognized by itself, as those of shippers are. A message without one, such as a line for people, is another
//! event: devices send all they log.

use super::listen::{Parcel, Protocol, Received};
use ipstats_formats::{FormatChoice, RecordReader, Settings, Tally, syslog};
use ipstats_model::Batch;
use std::collections::HashMap;

/// Reads messages. Each connection has its own table until it closes; all datagrams share one.
pub(super) struct Syslog {
    format: FormatChoice,
    readers: HashMap<Option<u64>, RecordReader>,
}

impl Syslog {
    pub(super) fn new(format: FormatChoice) -> Self {
        Self { format, readers: HashMap::new() }
    }
}

impl Protocol for Syslog {
    fn read(&mut self, parcel: &Parcel, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        let format = self.format;
        let reader =
            self.readers.entry(parcel.connection).or_insert_with(|| RecordReader::new(format, settings));
        for (_, received) in parcel.messages() {
            match received {
                Received::Message(message) => match syslog::record(message) {
                    // Syslog has no reply; the tally has the outcome.
                    Some(record) => {
                        let _ = reader.read(record, settings, batch, tally);
                        if parcel.connection.is_none() {
                            // Datagrams of several senders: the header of one is not another's.
                            reader.forget_table();
                        }
                    }
                    None => reader.other_event(tally),
                },
                Received::TooLong => drop(reader.too_long(settings, tally)),
                Received::CutOff => reader.cut_off(tally),
            }
        }
        if parcel.connection.is_some() && parcel.is_last {
            self.readers.remove(&parcel.connection);
        }
    }
}
