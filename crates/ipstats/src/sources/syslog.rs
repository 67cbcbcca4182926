//! Messages of syslog, each of which carries a JSON record.
//!
//! Each record is recognized by itself, as those of shippers are. A message without one, such as a line for people, is another
//! event: devices send all they log.

use super::listen::{Parcel, Protocol, Received};
use ipstats_formats::{FormatChoice, LooseRecords, Settings, Tally, syslog};
use ipstats_model::Batch;
use std::collections::HashMap;

/// Reads messages; a connection has a table of its own, which ends with it.
pub(super) struct Syslog {
    format: FormatChoice,
    datagrams: LooseRecords,
    connections: HashMap<u64, LooseRecords>,
}

impl Syslog {
    pub(super) fn new(format: FormatChoice) -> Self {
        Self { format, datagrams: LooseRecords::new(format), connections: HashMap::new() }
    }
}

impl Protocol for Syslog {
    fn read(&mut self, parcel: &Parcel, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        let records = match parcel.connection {
            None => &mut self.datagrams,
            Some(number) => self.connections.entry(number).or_insert_with(|| LooseRecords::new(self.format)),
        };
        for (_, received) in parcel.messages() {
            match received {
                Received::Message(message) => match syslog::record(message) {
                    // Nobody can be told; the tally is.
                    Some(record) => drop(records.read(record, settings, batch, tally)),
                    None => records.other_event(tally),
                },
                Received::TooLong => drop(records.too_long(settings, tally)),
                Received::CutOff => records.cut_off(tally),
            }
        }
        if let Some(number) = parcel.connection.filter(|_| parcel.is_last) {
            self.connections.remove(&number);
        }
    }
}
