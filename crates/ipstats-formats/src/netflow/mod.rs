//! NetFlow v5, v9 and IPFIX: datagrams of exporters → connections.
//!
//! This is not a stream format: records are described by templates that an exporter sent earlier, so a datagram cannot be read on
//! its own and order matters. [`Datagrams`] keeps what was learned, for each exporter, bounded.
//!
//! Invariant: nothing in a datagram prevents what is intact from being read. Fields that are not read are skipped by their length, sets of
//! other kinds too; damage costs what is damaged, and is one malformed record. Padding, templates and options records, which are about
//! the exporter, are not records.

mod cursor;
mod element;
mod error;
mod evidence;
mod exporters;
mod message;
mod record;
mod start;
mod template;

pub use error::DatagramError;

use crate::reader::{Reader, Rules};
use crate::settings::Settings;
use crate::tally::Tally;
use cursor::are_zero;
use exporters::Exporters;
use ipstats_model::Batch;
use message::MessageReader;
use std::fmt;
use std::net::SocketAddr;

/// Reads the datagrams of any number of exporters, in the order they arrive.
#[derive(Default)]
pub struct Datagrams {
    exporters: Exporters,
    /// Datagrams so far: what stands for the line in an [`Issue`](crate::Issue).
    count: u64,
}

impl Datagrams {
    /// Nothing is known of any exporter yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one datagram of `exporter`: connections into `batch`, the outcome of each record into `tally`.
    pub fn parse(
        &mut self,
        exporter: SocketAddr,
        datagram: &[u8],
        settings: &Settings,
        batch: &mut Batch,
        tally: &mut Tally,
    ) {
        self.count += 1;
        let rules = Rules::new(settings);
        let reader = &mut Reader::new(settings, &rules, batch, tally);
        let mut messages = MessageReader::new(&mut self.exporters, exporter, self.count, reader);
        let mut rest = messages.read(datagram);
        // Messages may follow one another, in one datagram.
        while message::is_known_version(rest) {
            rest = messages.read(rest);
        }
        if !are_zero(rest) {
            messages.report(DatagramError::Trailing { part: "the message", bytes: rest.len() });
        }
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams")
            .field("exporters", &self.exporters.len())
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
