//! What is known of exporters: their templates, and when they started.
//!
//! An exporter is an address with its port, a version, and an observation domain (IPFIX) or source id (v9): none reads another's
//! templates. An address that sends from ever new ports has a share of the exporters, so that it cannot displace those of all others.
//!
//! Invariant: memory is bounded by the limits below. Beyond each limit, what was used longest ago is forgotten; exporters send their
//! templates again and again.

use super::template::Template;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Exporters in total.
const EXPORTERS_MAX: usize = 512;

/// Exporters of one IP address.
const EXPORTERS_PER_ADDRESS_MAX: usize = 64;

/// Templates of one exporter.
const TEMPLATES_MAX: usize = 64;

/// A sender of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exporter {
    pub(super) address: SocketAddr,
    pub(super) version: Version,
    /// Observation domain of IPFIX, source id of v9.
    pub(super) domain: u32,
}

/// A version that has templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Version {
    V9,
    Ipfix,
}

/// The exporters that sent templates.
#[derive(Debug, Default)]
pub(super) struct Exporters {
    known: HashMap<Exporter, ExporterState>,
    /// Counts uses, so that it is known which was longest ago.
    uses: u64,
}

/// What is known of one exporter.
#[derive(Debug, Default)]
pub(super) struct ExporterState {
    templates: HashMap<u16, UsedTemplate>,
    /// When it started, in milliseconds since 1970: exporters of IPFIX report it in an options record and leave it out of flows.
    pub(super) started_millis: Option<i64>,
    used: u64,
}

#[derive(Debug)]
struct UsedTemplate {
    template: Template,
    used: u64,
}

impl Exporters {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The state of `exporter`, if it sent a template, or reported when it started.
    pub(super) fn find(&mut self, exporter: &Exporter) -> Option<&mut ExporterState> {
        self.uses += 1;
        let state = self.known.get_mut(exporter)?;
        state.used = self.uses;
        Some(state)
    }

    /// The state of `exporter`, which is new where it is not known.
    pub(super) fn find_or_add(&mut self, exporter: Exporter) -> &mut ExporterState {
        if !self.known.contains_key(&exporter) {
            self.make_room(&exporter);
        }
        self.uses += 1;
        let state = self.known.entry(exporter).or_default();
        state.used = self.uses;
        state
    }

    /// When `exporter` started, in milliseconds since 1970, if it reported that for its domain or, as domain 0, for all of its
    /// domains (RFC 7011, 3.1).
    pub(super) fn started_millis(&self, exporter: &Exporter) -> Option<i64> {
        let started = |exporter| self.known.get(&exporter).and_then(|state| state.started_millis);
        started(*exporter).or_else(|| started(Exporter { domain: 0, ..*exporter }))
    }

    /// Forgets an exporter where there are as many as there may be.
    fn make_room(&mut self, new: &Exporter) {
        let ip = new.address.ip();
        let of_address = |exporter: &Exporter| exporter.address.ip() == ip;
        let least_used =
            if self.known.keys().filter(|known| of_address(known)).count() >= EXPORTERS_PER_ADDRESS_MAX {
                self.known.iter().filter(|(known, _)| of_address(known)).min_by_key(|(_, state)| state.used)
            } else if self.known.len() >= EXPORTERS_MAX {
                self.known.iter().min_by_key(|(_, state)| state.used)
            } else {
                None
            };
        if let Some(exporter) = least_used.map(|(exporter, _)| *exporter) {
            self.known.remove(&exporter);
        }
    }
}

impl ExporterState {
    /// The template that describes the records of the set `id`.
    pub(super) fn template(&mut self, id: u16) -> Option<&Template> {
        let used = self.templates.get_mut(&id)?;
        used.used = self.used;
        Some(&used.template)
    }

    /// Keeps a template, in place of the one that had its id.
    pub(super) fn define(&mut self, id: u16, template: Template) {
        if self.templates.len() >= TEMPLATES_MAX && !self.templates.contains_key(&id) {
            let least_used = self.templates.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| *id);
            least_used.and_then(|id| self.templates.remove(&id));
        }
        self.templates.insert(id, UsedTemplate { template, used: self.used });
    }

    pub(super) fn withdraw(&mut self, id: u16) {
        self.templates.remove(&id);
    }

    /// Withdraws all templates, or all options templates.
    pub(super) fn withdraw_all(&mut self, is_options: bool) {
        self.templates.retain(|_, known| known.template.is_options != is_options);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn exporter(address: &str, domain: u32) -> Exporter {
        Exporter { address: address.parse().unwrap(), version: Version::V9, domain }
    }

    #[test]
    fn address_has_share_of_exporters() {
        let mut exporters = Exporters::default();
        let other = exporter("192.0.2.2:2055", 0);
        exporters.find_or_add(other);
        for domain in 0..64 {
            exporters.find_or_add(exporter("192.0.2.1:2055", domain));
        }
        assert!(exporters.find(&exporter("192.0.2.1:2055", 0)).is_some());
        exporters.find_or_add(exporter("192.0.2.1:9", 0));
        assert!(exporters.find(&exporter("192.0.2.1:2055", 0)).is_some());
        assert!(exporters.find(&exporter("192.0.2.1:2055", 1)).is_none(), "used longest ago");
        assert!(exporters.find(&other).is_some());
        assert_eq!(exporters.len(), 65);
    }

    #[test]
    fn exporters_are_bounded() {
        let mut exporters = Exporters::default();
        for number in 0..3000_u32 {
            let address = SocketAddr::new(IpAddr::from(number.to_be_bytes()), 2055);
            exporters.find_or_add(Exporter { address, version: Version::Ipfix, domain: 0 });
            assert!(exporters.len() <= EXPORTERS_MAX);
        }
    }
}
