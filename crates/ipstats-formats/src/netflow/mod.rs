//! NetFlow v5, v9 and IPFIX: datagrams of exporters → connections.
//!
//! This is not a stream format: records are described by templates that an exporter sent earlier, so a datagram cannot be read on
//! its own and order matters. [`Datagrams`] keeps what was learned, for each exporter, bounded.

mod evidence;
mod record;
mod shares;

use crate::flow_rules::Opener;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Reader, Rules};
use crate::settings::Settings;
use crate::tally::Tally;
use ipstats_model::Batch;
use netflow_parser::static_versions::v5::V5;
use netflow_parser::variable_versions::{ipfix, v9};
use netflow_parser::{
    AutoScopedParser, ConfigError, IpfixSourceKey, NetflowPacket, NetflowParser, V9SourceKey,
};
use record::{Clock, Record};
use shares::{Exporter, Shares, Version};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

/// How many exporters (address and observation domain) are remembered. Beyond that, the one that was silent longest is
/// forgotten until it sends its templates again. One address has a share of them.
const EXPORTERS_MAX: usize = 512;

/// Templates that are remembered of one exporter.
const TEMPLATES_MAX: usize = 64;

/// Fields of a template.
const TEMPLATE_FIELDS_MAX: usize = 128;

/// Versions that are read.
const VERSIONS: [u16; 3] = [5, 9, 10];

/// Reads the datagrams of any number of exporters, in the order they arrive.
pub struct Datagrams {
    parser: AutoScopedParser,
    shares: Shares,
    /// When exporters of IPFIX were started, in milliseconds since 1970: they say so in a record of its own, and leave it
    /// out of those of flows.
    started_millis: HashMap<(SocketAddr, u32), u64>,
    /// Datagrams so far: what stands for the line in an [`Issue`](crate::Issue).
    count: u64,
}

impl Datagrams {
    /// Nothing is known of any exporter yet.
    pub fn new() -> Self {
        let bounded = || -> Result<AutoScopedParser, ConfigError> {
            NetflowParser::builder()
                .with_cache_size(TEMPLATES_MAX)
                .with_max_field_count(TEMPLATE_FIELDS_MAX)
                .with_allowed_versions(&VERSIONS)
                .try_multi_source()?
                .with_max_sources(EXPORTERS_MAX)
        };
        // The limits above are constants within what the library admits; its own defaults are bounded too.
        let parser = bounded().unwrap_or_default();
        Self { parser, shares: Shares::default(), started_millis: HashMap::new(), count: 0 }
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
        if let Some(silent) = Exporter::of(exporter, datagram).and_then(|sender| self.shares.sends(sender)) {
            self.forget(silent);
        }
        let rules = Rules::new(settings);
        let reader = &mut Reader::new(settings, &rules, batch, tally);
        let parsed = self.parser.parse_from_source(exporter, datagram);
        for packet in &parsed.packets {
            match packet {
                NetflowPacket::V5(packet) => v5_records(packet, self.count, reader),
                NetflowPacket::V9(packet) => v9_records(packet, self.count, reader),
                NetflowPacket::IPFix(packet) => {
                    let domain = (exporter, packet.header.observation_domain_id);
                    ipfix_records(packet, self.count, reader, &mut self.started_millis, domain);
                }
                _ => {}
            }
        }
        if let Some(error) = parsed.error {
            reader.record(self.count, |_| Err(damaged(&error).into()));
        }
    }

    /// Forgets the templates of an exporter, and when it was started.
    fn forget(&mut self, Exporter { address: addr, version, domain }: Exporter) {
        match version {
            Version::V9 => drop(self.parser.remove_v9_source(&V9SourceKey { addr, source_id: domain })),
            Version::Ipfix => {
                let key = IpfixSourceKey { addr, observation_domain_id: domain };
                drop(self.parser.remove_ipfix_source(&key));
                self.started_millis.remove(&(addr, domain));
            }
        }
    }
}

impl Default for Datagrams {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams")
            .field("exporters", &self.parser.source_count())
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

fn v5_records(packet: &V5, number: u64, reader: &mut Reader<'_>) {
    let clock = Clock {
        exported: packet.header.unix_secs,
        exported_nanos: packet.header.unix_nsecs,
        uptime_millis: Some(packet.header.sys_up_time),
        started_millis: None,
    };
    for flow in &packet.flowsets {
        take(&Record::of_v5(flow), clock, number, reader);
    }
}

fn v9_records(packet: &v9::V9, number: u64, reader: &mut Reader<'_>) {
    let clock = Clock {
        exported: packet.header.unix_secs,
        exported_nanos: 0,
        uptime_millis: Some(packet.header.sys_up_time),
        started_millis: None,
    };
    for set in &packet.flowsets {
        match &set.body {
            v9::FlowSetBody::Data(data) => {
                for fields in &data.fields {
                    take(&Record::of_v9(fields), clock, number, reader);
                }
            }
            v9::FlowSetBody::NoTemplate(_) => no_template(number, reader),
            _ => {}
        }
    }
}

fn ipfix_records(
    packet: &ipfix::IPFix,
    number: u64,
    reader: &mut Reader<'_>,
    started_millis: &mut HashMap<(SocketAddr, u32), u64>,
    domain: (SocketAddr, u32),
) {
    for set in &packet.flowsets {
        match &set.body {
            ipfix::FlowSetBody::Data(data) => {
                let clock = Clock {
                    exported: packet.header.export_time,
                    exported_nanos: 0,
                    uptime_millis: None,
                    started_millis: started_millis.get(&domain).copied(),
                };
                for fields in &data.fields {
                    take(&Record::of_ipfix(fields), clock, number, reader);
                }
            }
            ipfix::FlowSetBody::OptionsData(data) => {
                let started =
                    data.fields.iter().find_map(|fields| Record::of_ipfix(fields).exporter_started());
                // All say it again and again: whom this forgets is soon remembered.
                if started_millis.len() >= EXPORTERS_MAX && !started_millis.contains_key(&domain) {
                    started_millis.clear();
                }
                started_millis.extend(started.map(|started| (domain, started)));
            }
            ipfix::FlowSetBody::NoTemplate(_) => no_template(number, reader),
            _ => {}
        }
    }
}

fn take(record: &Record, clock: Clock, number: u64, reader: &mut Reader<'_>) {
    reader.record(number, |reader| {
        let (Some(source), Some(destination)) = (record.source, record.destination) else {
            return Err(NotAConnection::OtherEvent.into());
        };
        let (originator, responder, progress) = match evidence::opener(record)? {
            Opener::Source(progress) => (source, destination, progress),
            Opener::Destination(progress) => (destination, source, progress),
        };
        let mac = record.source_mac.filter(|_| originator == source);
        reader.flow(&Flow {
            at: record.start(clock).ok_or_else(|| record.why_no_start())?,
            originator,
            responder,
            originator_internal: None,
            responder_internal: None,
            originator_name: None,
            originator_mac: mac.map(record::mac_text).as_deref(),
            progress,
        })
    });
}

/// Records whose template has not come yet, however many: how many they are is not known without it.
fn no_template(number: u64, reader: &mut Reader<'_>) {
    reader.record(number, |_| Err(NotAConnection::NoTemplate.into()));
}

fn damaged(error: &dyn fmt::Display) -> Malformed {
    const SHOWN_CHARACTERS_MAX: usize = 120;
    Malformed::Damaged { reason: error.to_string().chars().take(SHOWN_CHARACTERS_MAX).collect() }
}
