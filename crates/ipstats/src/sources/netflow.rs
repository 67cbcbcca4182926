//! Datagrams of NetFlow v5, v9 and IPFIX, in any mixture.

use super::listen::{Parcel, Protocol, Received};
use ipstats_formats::netflow::Datagrams;
use ipstats_formats::{Settings, Tally};
use ipstats_model::Batch;
use std::net::SocketAddr;

/// Reads datagrams; what it knows of templates is lost with it, and comes again.
#[derive(Default)]
pub(super) struct Netflow(Datagrams);

impl Protocol for Netflow {
    fn read(&mut self, parcel: &Parcel, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        for (sender, received) in parcel.messages() {
            if let Received::Message(datagram) = received {
                // An exporter is its address and port: two behind one address do not take each other's templates.
                let exporter = SocketAddr::new(sender.ip().to_canonical(), sender.port());
                self.0.parse(exporter, datagram, settings, batch, tally);
            }
        }
    }
}
