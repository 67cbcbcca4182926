//! `aliases` of a source: the dhcp.log files that tell which device had which address when.

use super::Pattern;
use crate::config::duration::Duration as Span;
use crate::config::reader::Section;
use crate::config::values::{InvalidValue, words};
use ipstats_formats::{AliasBy, DeviceFrom, Format, FormatChoice};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How long connections wait unless told: Zeek writes a lease about half a minute after its first packet, and both logs about
/// once a second.
const WAIT_SECONDS: i64 = 60;

/// Longest wait. What waits is not in any answer, and a file that is quiet for longer is not held open.
const WAIT_SECONDS_MAX: i64 = 600;

/// The leases that name the devices of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseFiles {
    /// Which files: paths with `*`, `?`, `[…]` and `**`.
    pub patterns: Vec<Pattern>,
    /// How devices are named.
    pub by: AliasBy,
    /// How long a connection waits in its file, so that the leases before it are known.
    pub wait: Duration,
}

/// [`AliasBy`] as a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AliasSetting(AliasBy);

words!(AliasSetting: "mac" => Self(AliasBy::Mac), "host-name" => Self(AliasBy::HostName));

/// The table `aliases`, where there is one.
pub(super) fn read(section: &mut Section<'_>, folder: &Path) -> Option<LeaseFiles> {
    let mut table = section.section("aliases");
    if !section.has("aliases") {
        return None;
    }
    let patterns = table.read_list::<Pattern>("files");
    if patterns.as_ref().map_or(!table.has("files"), Vec::is_empty) {
        table.problem("files", "name at least one dhcp.log, such as \"/opt/zeek/logs/*/dhcp.*.log.gz\"");
    }
    let by = table.read::<AliasSetting>("by").map_or_else(AliasBy::default, |by| by.0);
    let wait = table.read::<Span>("wait").unwrap_or(Span::of_seconds(WAIT_SECONDS));
    if wait > Span::of_seconds(WAIT_SECONDS_MAX) {
        table.problem("wait", format_args!("at most {}", Span::of_seconds(WAIT_SECONDS_MAX)));
    }
    table.finish();
    let patterns = patterns?.iter().map(|pattern| pattern.meant_from(folder)).collect();
    Some(LeaseFiles { patterns, by, wait: Duration::from_secs(wait.seconds.unsigned_abs()) })
}

/// Why leases would change nothing, or give devices two names.
pub(super) fn refusal(by: AliasBy, format: FormatChoice, device_from: DeviceFrom) -> Option<String> {
    let shows_addresses = Format::ALL.into_iter().any(|known| format.admits(known) && shows_addresses(known));
    if !shows_addresses {
        Some(format!("records of {format} name their devices: there is nothing to name by leases"))
    } else if (by, device_from) == (AliasBy::HostName, DeviceFrom::Mac) {
        Some("devices would go by two names: device_from = \"mac\" wants by = \"mac\"".to_owned())
    } else {
        None
    }
}

/// Whether a format shows devices by their address.
const fn shows_addresses(format: Format) -> bool {
    match format {
        Format::ZeekTsv
        | Format::ZeekJson
        | Format::Suricata
        | Format::Ecs
        | Format::Ocsf
        | Format::VpcFlow
        | Format::Mapped => true,
        Format::MdeStreaming
        | Format::MdeHuntingCsv
        | Format::MdeHuntingJson
        | Format::SysmonJson
        | Format::SysmonEvtx
        | Format::Osquery
        | Format::IpstatsNdjson
        | Format::IpstatsCsv => false,
    }
}

impl LeaseFiles {
    /// The name of `by` in the configuration.
    pub(in crate::config) fn by_name(&self) -> String {
        AliasSetting(self.by).to_string()
    }

    /// `wait` as the configuration writes it.
    pub(in crate::config) fn wait_text(&self) -> String {
        Span::of_seconds(i64::try_from(self.wait.as_secs()).unwrap_or(i64::MAX)).to_string()
    }
}
