//! Keys under which logs are sent in, and how the logs of each are read.

use super::access::{OrganizationEntry, choose, unique};
use super::reader::Section;
use super::sources::settings;
use super::values::Name;
use crate::ingest_key::IngestKeyHash;
use ipstats_formats::{FormatChoice, NotDevice, Settings};
use ipstats_model::Organization;
use std::collections::HashSet;

/// One source of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestSource {
    /// What people call it; unique.
    pub name: String,
    /// What is kept of its key; unique.
    pub key_hash: IngestKeyHash,
    /// Whose data it sends.
    pub organization: Organization,
    /// Which format its records have, where a request does not tell.
    pub format: FormatChoice,
    /// How its logs are read.
    pub settings: Settings,
}

/// The tables `[[ingest_keys]]`. What is wrong with them is with the reader.
pub(super) fn read(
    root: &mut Section<'_>,
    organizations: &[OrganizationEntry],
    not_devices: &[NotDevice],
) -> Vec<IngestSource> {
    let (mut hashes, mut names) = (HashSet::new(), HashSet::new());
    let sections = root.sections("ingest_keys").into_iter();
    let sources =
        sections.map(|section| source(section, organizations, not_devices, &mut hashes, &mut names));
    sources.flatten().collect()
}

fn source(
    mut section: Section<'_>,
    organizations: &[OrganizationEntry],
    not_devices: &[NotDevice],
    hashes: &mut HashSet<IngestKeyHash>,
    names: &mut HashSet<String>,
) -> Option<IngestSource> {
    let name = section.require::<Name>("name");
    let key_hash = section.require::<IngestKeyHash>("key_hash");
    let organization = section.require::<Name>("organization");
    let format = section.read::<FormatChoice>("format").unwrap_or_default();
    let settings = settings(&mut section, not_devices);
    section.section("aliases");
    if section.has("aliases") {
        section.problem(
            "aliases",
            "leases are read for [[sources]] of kind files, and by `ipstats import --aliases`",
        );
    }
    let name = name.filter(|name| unique(&section, "name", name.0.clone(), names));
    let key_hash = key_hash.filter(|hash| unique(&section, "key_hash", *hash, hashes));
    let organization = organization.and_then(|asked| {
        choose(organizations, Some(&asked.0)).map_err(|error| section.problem("organization", error)).ok()
    });
    section.finish();
    let organization = organization?;
    let settings = Settings { only_tenant: Some(organization), ..settings };
    Some(IngestSource { name: name?.0, key_hash: key_hash?, organization, format, settings })
}
