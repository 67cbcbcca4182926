//! Where the audit log goes.

use super::reader::{Reader, Section};
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the audit log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditDestination {
    /// `stdout`.
    Stdout,
    /// `stderr`.
    Stderr,
    /// Everything else is a file.
    File(PathBuf),
}

/// The setting `audit_log`. A relative file in the document is meant from `folder`.
pub(super) fn read(reader: &Reader<'_>, root: &mut Section<'_>, folder: &Path) -> Option<AuditDestination> {
    let written = root.read_here::<AuditDestination>("audit_log").map(|destination| match destination {
        AuditDestination::File(path) => AuditDestination::File(folder.join(path)),
        word => word,
    });
    reader.variable("IPSTATS_AUDIT_LOG").and_then(|text| text.parse().ok()).or(written)
}

impl FromStr for AuditDestination {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            path => Self::File(path.into()),
        })
    }
}

impl fmt::Display for AuditDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
