//! The formats by name, and the choice an operator makes among them.

use crate::formats::grammar;
use crate::grammar::Grammar;
use std::fmt;
use std::str::FromStr;
use strum::{EnumIter, IntoEnumIterator as _, VariantArray};

/// A telemetry format this crate reads. docs/sources.md has one section for each. A stream is tried on them in this
/// order: a Windows event of Elastic's shippers is both Sysmon and ECS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub enum Format {
    /// Zeek conn.log, tab-separated with `#fields`.
    ZeekTsv,
    /// Zeek conn.log, JSON (also Corelight).
    ZeekJson,
    /// Defender streaming export of DeviceNetworkEvents: `{"records":[…]}` or one record a line.
    MdeStreaming,
    /// Defender or Sentinel hunting export of DeviceNetworkEvents, CSV.
    MdeHuntingCsv,
    /// Defender or Sentinel hunting export of DeviceNetworkEvents, JSON: `{"Schema":…,"Results":[…]}` or bare rows.
    MdeHuntingJson,
    /// Suricata EVE: `flow` and `netflow` events.
    Suricata,
    /// Sysmon event 3 as JSON: flat (NXLog), of Winlogbeat or Elastic Agent, or `{"Event":…}`.
    SysmonJson,
    /// Sysmon event 3 in EVTX files.
    SysmonEvtx,
    /// Network events of the Elastic Common Schema: Elastic Defend, Auditbeat, Packetbeat, Filebeat's modules.
    Ecs,
    /// OCSF Network Activity (class 4001).
    Ocsf,
    /// osquery `socket_events`, as the result log writes them.
    Osquery,
    /// AWS VPC flow logs, text.
    VpcFlow,
    /// Our own JSON lines: `device`, `ip`, `time`.
    IpstatsNdjson,
    /// Our own CSV: `device`, `ip`, `time`.
    IpstatsCsv,
    /// CSV or JSON whose fields the operator maps. Only a map selects it.
    Mapped,
}

const _: () =
    assert!(matches!(Format::VARIANTS.last(), Some(Format::Mapped)), "all but the last are recognized");

/// Which formats a stream may have: what `--format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, EnumIter)]
pub enum FormatChoice {
    /// Any format, recognized from the first lines.
    #[default]
    Auto,
    /// Zeek conn.log, TSV or JSON.
    Zeek,
    /// Defender DeviceNetworkEvents, any export.
    Mde,
    /// Sysmon event 3, JSON or EVTX.
    Sysmon,
    /// Any format of JSON records.
    Json,
    /// This format and no other.
    #[strum(disabled)]
    Exactly(Format),
}

/// There is no format of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a format;{} known are {}", meant(name), FormatChoice::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownFormat {
    name: String,
}

/// How alike two names must be, from 0 to 1, for one to be meant by the other.
const ALIKE_MIN: f64 = 0.8;

/// The name that is meant, where one is close.
fn meant(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let alike = FormatChoice::names().map(|known| (strsim::jaro(&name, known), known));
    match alike.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((likeness, known)) if likeness >= ALIKE_MIN => format!(" did you mean {known}?"),
        _ => String::new(),
    }
}

impl Format {
    /// All formats that are recognized or asked for by name, in their order: all but [`Mapped`](Self::Mapped).
    pub const ALL: [Self; Self::VARIANTS.len() - 1] =
        *Self::VARIANTS.first_chunk().expect("fewer than there are variants");

    /// The name on the command line and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ZeekTsv => "zeek-tsv",
            Self::ZeekJson => "zeek-json",
            Self::MdeStreaming => "mde-streaming",
            Self::MdeHuntingCsv => "mde-hunting-csv",
            Self::MdeHuntingJson => "mde-hunting-json",
            Self::Suricata => "suricata",
            Self::SysmonJson => "sysmon-json",
            Self::SysmonEvtx => "sysmon-evtx",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Osquery => "osquery",
            Self::VpcFlow => "vpc-flow",
            Self::IpstatsNdjson => "ndjson",
            Self::IpstatsCsv => "csv",
            Self::Mapped => "mapped",
        }
    }
}

impl FormatChoice {
    /// All choices, the general ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter().chain(Format::ALL.map(Self::Exactly))
    }

    /// The names of all choices, in the order of [`all`](Self::all).
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(Self::name)
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Zeek => "zeek",
            Self::Mde => "mde",
            Self::Sysmon => "sysmon",
            Self::Json => "json",
            Self::Exactly(format) => format.name(),
        }
    }

    /// Whether a stream of this choice may have `format`.
    pub fn admits(self, format: Format) -> bool {
        match self {
            Self::Auto => true,
            Self::Zeek => matches!(format, Format::ZeekTsv | Format::ZeekJson),
            Self::Mde => {
                matches!(format, Format::MdeStreaming | Format::MdeHuntingCsv | Format::MdeHuntingJson)
            }
            Self::Sysmon => matches!(format, Format::SysmonJson | Format::SysmonEvtx),
            Self::Json => matches!(grammar(format), Grammar::Json(_)),
            Self::Exactly(only) => only == format,
        }
    }

    /// Whether some format of this choice has JSON records, which can come one by one.
    pub fn admits_json(self) -> bool {
        let mut formats = Format::ALL.into_iter().filter(|format| self.admits(*format));
        formats.any(|format| matches!(grammar(format), Grammar::Json(_)))
    }
}

impl From<Format> for FormatChoice {
    fn from(format: Format) -> Self {
        Self::Exactly(format)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for FormatChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FormatChoice {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for choice in FormatChoice::all() {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("zeek-json".parse(), Ok(FormatChoice::Exactly(Format::ZeekJson)));
        for (name, meant) in [("surikata", "suricata"), ("Zeek", "zeek"), ("sysmon-jsn", "sysmon-json")] {
            let error = name.parse::<FormatChoice>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("is not a format; did you mean {meant}? known are auto, ")),
                "{error}"
            );
        }
        let error = "conn".parse::<FormatChoice>().unwrap_err().to_string();
        assert!(
            error.starts_with("\"conn\" is not a format; known are auto, zeek, mde, sysmon, json, zeek-tsv"),
            "{error}"
        );
    }

    #[test]
    fn every_format_is_admitted_by_auto_and_by_itself_only() {
        for format in Format::ALL {
            assert!(FormatChoice::Auto.admits(format));
            let by = Format::ALL.into_iter().filter(|other| FormatChoice::from(*other).admits(format));
            assert_eq!(by.collect::<Vec<_>>(), [format]);
        }
    }
}
