//! Datagrams of NetFlow and IPFIX.

use ipstats_formats::netflow::Datagrams;
use ipstats_formats::{Settings, Tally};
use ipstats_model::Batch;
use std::net::{Ipv4Addr, SocketAddr};

/// The input is cut into datagrams of one exporter, each behind its length: nothing panics, and each connection is counted.
pub fn netflow(data: &[u8]) {
    let exporter = SocketAddr::from((Ipv4Addr::LOCALHOST, 2055));
    let (mut datagrams, mut batch, mut tally) = (Datagrams::new(), Batch::new(), Tally::default());
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        datagrams.parse(exporter, datagram, &Settings::default(), &mut batch, &mut tally);
        rest = behind;
    }
    assert_eq!(batch.len() as u64, tally.connections());
}
