//! Sources that the service fetches by itself, and how the records of each are read.

mod kafka;
mod leases;
mod listening;

pub use kafka::{Begin, KafkaAccess, KafkaTopic};
pub use leases::LeaseFiles;
pub use listening::{Endpoint, Listening, Transport};

use super::access::{OrganizationEntry, choose, unique};
use super::networks::Network;
use super::reader::Section;
use super::values::{CountSetting, DeviceSetting, InvalidValue, Name};
use ipstats_formats::{FieldMap, FormatChoice, NotDevice, NotDevices, Originator, Settings};
use ipstats_model::Organization;
use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// Longest message of syslog, in bytes: there may be hundreds of connections, each in the middle of one.
const SYSLOG_BYTES_MAX: usize = 256 << 10;

/// One source of `[[sources]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// What people call it; unique among sources.
    pub name: String,
    /// Whose data it brings.
    pub organization: Organization,
    /// Which format its records have.
    pub format: FormatChoice,
    /// How they are read.
    pub settings: Settings,
    /// Where they come from.
    pub kind: SourceKind,
}

/// Where the records of a source come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Files that are followed.
    Files {
        /// Which: paths with `*`, `?`, `[…]` and `**`.
        patterns: Vec<Pattern>,
        /// What names the devices in them.
        leases: Option<LeaseFiles>,
    },
    /// A topic of a Kafka cluster, or an Azure Event Hub.
    Kafka(KafkaTopic),
    /// Messages of syslog, each with a JSON record.
    Syslog(Listening),
    /// Datagrams of NetFlow and IPFIX.
    Netflow(Listening),
}

/// The name of a source. A slash ends it in the names of its checkpoints.
#[derive(Debug)]
struct SourceName(String);

/// A path with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// There is no such kind of source.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no kind of source; known are: files, kafka, event-hubs, syslog, netflow")]
struct UnknownKind(String);

#[derive(Clone, Copy)]
enum Kind {
    Files,
    Kafka,
    EventHubs,
    Syslog,
    Netflow,
}

/// What belongs to one source only.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    endpoints: HashSet<Endpoint>,
}

/// The tables `[[sources]]`. Relative paths are meant from `folder`. What is wrong with them is with the reader.
pub(super) fn read(
    root: &mut Section<'_>,
    organizations: &[OrganizationEntry],
    not_devices: &[NotDevice],
    folder: &Path,
) -> Vec<SourceEntry> {
    let mut taken = Taken::default();
    let sections = root.sections("sources").into_iter();
    let entries = sections.map(|section| source(section, organizations, not_devices, folder, &mut taken));
    entries.flatten().collect()
}

fn source(
    mut section: Section<'_>,
    organizations: &[OrganizationEntry],
    not_devices: &[NotDevice],
    folder: &Path,
    taken: &mut Taken,
) -> Option<SourceEntry> {
    let name = section.require::<SourceName>("name");
    let organization = section.require::<Name>("organization");
    let kind = section.require::<Kind>("kind");
    if !cfg!(feature = "kafka") && matches!(kind, Some(Kind::Kafka | Kind::EventHubs)) {
        section.problem("kind", "this ipstats was built without the feature `kafka`");
    }
    let leases = leases::read(&mut section, folder);
    if leases.is_some() && !matches!(kind, Some(Kind::Files) | None) {
        section.problem("aliases", "leases are read for sources of kind files only");
    }
    let by = leases.as_ref().map(|leases| leases.by);
    let kind = match kind {
        Some(Kind::Files) => files(&mut section, leases, folder),
        Some(Kind::Kafka) => kafka::read_kafka(&mut section, folder).map(SourceKind::Kafka),
        Some(Kind::EventHubs) => kafka::read_event_hubs(&mut section, folder).map(SourceKind::Kafka),
        Some(kind @ Kind::Syslog) => {
            listening::read(&mut section, kind, &mut taken.endpoints).map(SourceKind::Syslog)
        }
        Some(kind @ Kind::Netflow) => {
            listening::read(&mut section, kind, &mut taken.endpoints).map(SourceKind::Netflow)
        }
        None => None,
    };
    let format = format(&mut section, kind.as_ref());
    let mut settings = settings(&mut section, not_devices);
    if let Some(SourceKind::Syslog(_)) = kind {
        settings.limits.line_bytes_max = SYSLOG_BYTES_MAX;
    }
    let refusal = by.and_then(|by| leases::refusal(by, format, settings.device_from));
    refusal.into_iter().for_each(|refusal| section.problem("aliases", refusal));
    let name = name.filter(|name| unique(&section, "name", name.0.clone(), &mut taken.names));
    let organization = organization.and_then(|asked| {
        choose(organizations, Some(&asked.0)).map_err(|error| section.problem("organization", error)).ok()
    });
    section.finish();
    let organization = organization?;
    let settings = Settings { only_tenant: Some(organization), ..settings };
    Some(SourceEntry { name: name?.0, organization, format, settings, kind: kind? })
}

/// Which formats the records of a source have; datagrams of flows have their own.
fn format(section: &mut Section<'_>, kind: Option<&SourceKind>) -> FormatChoice {
    if let Some(SourceKind::Netflow(_)) = kind {
        return FormatChoice::default();
    }
    let format = section.read::<FormatChoice>("format").unwrap_or_default();
    if matches!(kind, Some(SourceKind::Syslog(_))) && !format.admits_json() {
        let name = format.name();
        section.problem("format", format_args!("records in syslog are JSON, which {name} is not"));
    }
    format
}

fn files(section: &mut Section<'_>, leases: Option<LeaseFiles>, folder: &Path) -> Option<SourceKind> {
    let patterns = section.read_list::<Pattern>("paths");
    if patterns.as_ref().map_or(!section.has("paths"), Vec::is_empty) {
        section.problem("paths", "name at least one file, such as \"/opt/zeek/logs/current/conn.log\"");
    }
    let patterns = patterns?.iter().map(|pattern| pattern.meant_from(folder)).collect();
    Some(SourceKind::Files { patterns, leases })
}

/// How the records of a source are read, for sources of any kind. `not_devices` are the relays of all sources.
pub(super) fn settings(section: &mut Section<'_>, not_devices: &[NotDevice]) -> Settings {
    let defaults = Settings::default();
    let own_relays = section.read_list::<NotDevice>("not_devices").unwrap_or_default();
    let originator_is_device = section.read_flag("originator_is_device").unwrap_or(false);
    let networks = section.read_list::<Network>("internal_networks");
    let networks = networks.map(|networks| networks.into_iter().map(|network| network.0).collect());
    let columns = columns(section, &defaults);
    Settings {
        internal_networks: networks.unwrap_or(defaults.internal_networks),
        originator: if originator_is_device { Originator::AlwaysDevice } else { Originator::ByNetworks },
        site: section.read::<Name>("site").map(|site| site.0),
        count: section.read::<CountSetting>("count").map_or(defaults.count, |count| count.0),
        device_from: section.read::<DeviceSetting>("device_from").map_or(defaults.device_from, |from| from.0),
        not_devices: NotDevices::new(not_devices.iter().cloned().chain(own_relays)),
        columns,
        map: field_map(section),
        ..defaults
    }
}

/// Columns of Zeek rows that arrive without their header.
fn columns(section: &mut Section<'_>, defaults: &Settings) -> Vec<String> {
    let columns = Name::texts(section.read_list::<Name>("columns").unwrap_or_default());
    let named = Settings { columns, ..defaults.clone() };
    let missing = named.missing_columns();
    if !missing.is_empty() {
        section.problem("columns", no_columns(&missing));
    }
    named.columns
}

/// Which fields of records of no known format hold what is needed.
fn field_map(section: &mut Section<'_>) -> Option<Arc<FieldMap>> {
    let fields = section.read_map::<Name>("map")?;
    let map = FieldMap::new(fields.iter().map(|(target, field)| (target.as_str(), field.0.as_str())));
    map.map(Arc::new).map_err(|error| section.problem("map", error)).ok()
}

/// That needed columns are not among those that were listed.
pub fn no_columns(missing: &[&str]) -> String {
    format!(
        "no column {}: list all columns of the log in their order, as its #fields line has them",
        missing.join(", ")
    )
}

impl SourceKind {
    /// The name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Files { .. } => "files",
            Self::Kafka(KafkaTopic { access: KafkaAccess::Brokers { .. }, .. }) => "kafka",
            Self::Kafka(KafkaTopic { access: KafkaAccess::EventHubs { .. }, .. }) => "event-hubs",
            Self::Syslog(_) => "syslog",
            Self::Netflow(_) => "netflow",
        }
    }

    /// Where it listens, if it does.
    pub fn endpoints(&self) -> &[Endpoint] {
        match self {
            Self::Syslog(listening) | Self::Netflow(listening) => &listening.endpoints,
            Self::Files { .. } | Self::Kafka(_) => &[],
        }
    }
}

impl Pattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn meant_from(&self, folder: &Path) -> Self {
        if Path::new(&self.0).is_absolute() || folder.as_os_str().is_empty() {
            return self.clone();
        }
        // The folder is meant as it is, whatever characters are in its name.
        Self(Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(&self.0).display().to_string())
    }
}

impl FromStr for SourceName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(Name(name)) if !name.contains('/') => Ok(Self(name)),
            _ => Err(InvalidValue::new(text, "the name of a source (1 to 128 visible characters, no slash)")),
        }
    }
}

impl FromStr for Pattern {
    type Err = glob::PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        glob::Pattern::new(text).map(|_| Self(text.to_owned()))
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "files" => Ok(Self::Files),
            "kafka" => Ok(Self::Kafka),
            "event-hubs" => Ok(Self::EventHubs),
            "syslog" => Ok(Self::Syslog),
            "netflow" => Ok(Self::Netflow),
            other => Err(UnknownKind(other.to_owned())),
        }
    }
}
