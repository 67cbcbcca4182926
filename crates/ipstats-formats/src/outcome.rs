//! Why a record is not a connection, or is malformed.

use crate::netflow::DatagramError;
use ipstats_model::DeviceNameError;
use ipstats_model::limits::DEVICE_NAME_BYTES_MAX;
use std::fmt;
use strum::VariantArray;

/// Why a well-formed record is not a connection that a device of the organization opened. Reports list them in this
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub enum NotAConnection {
    /// An event of another type or table.
    OtherEvent,
    /// The record belongs to another tenant.
    OtherTenant,
    /// The other side opened it.
    Inbound,
    /// A socket that listens.
    Listening,
    /// The attempt failed or stayed half-open.
    Failed,
    /// Traffic that was seen passing; who opened what is not said.
    Inspected,
    /// Traffic in midstream: the start of the connection was not seen.
    StartNotSeen,
    /// The record does not say which end opened it.
    DirectionUnknown,
    /// There is no remote IP.
    NoRemoteIp,
    /// Neither end is internal.
    NotInternal,
    /// A relay passed it on: what would be its device is one of [`Settings::not_devices`](crate::Settings::not_devices).
    Relay,
    /// Flow records whose template the exporter has not sent yet: what they are is not known.
    NoTemplate,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`Limits::line_bytes_max`](crate::Limits::line_bytes_max).
    #[error("longer than {bytes_max} bytes")]
    TooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// The line or the stream ends in the middle of the record.
    #[error("cut off in the middle")]
    CutOff,
    /// Not UTF-8 text.
    #[error("not UTF-8")]
    NotUtf8,
    /// Not a JSON object.
    #[error("not a JSON object: {reason}")]
    NotJson {
        /// What the JSON parser says.
        reason: String,
    },
    /// A binary record that cannot be decoded.
    #[error("damaged: {reason}")]
    Damaged {
        /// What the decoder says.
        reason: String,
    },
    /// Not a log of a known format.
    #[error("{reason}")]
    Stream {
        /// What is wrong with it.
        reason: String,
    },
    /// A row of a table whose columns are not known.
    #[error(
        "a row of a table without its header: name its columns (columns = [\"ts\", \"uid\", …] of the key or the source), send \
         the #fields line before it, or write the log as JSON"
    )]
    NoColumns,
    /// The row does not have the columns of its header.
    #[error("{found} columns where the header has {expected}")]
    Columns {
        /// Columns of the header.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// A datagram of NetFlow or IPFIX, or a part of it, that cannot be read.
    #[error("{0}")]
    Datagram(DatagramError),
    /// A flow began so long after its exporter was started, and when that was is not known.
    #[error(
        "the flow start counts from the start of the exporter, which has not said when that was: let it send \
         systemInitTimeMilliseconds (element 160) with its templates, or flowStartMilliseconds (152) in place of flowStartSysUpTime"
    )]
    ExporterStartUnknown,
    /// A needed field is absent or empty.
    #[error("no {field}")]
    Missing {
        /// The field, as the format names it.
        field: &'static str,
    },
    /// A field does not hold what it must.
    #[error("{field} is {value}, not {expected}")]
    Invalid {
        /// The field, as the format names it.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A field that the operator mapped is absent or empty.
    #[error("no {field}, which is mapped to {target}")]
    NoMappedField {
        /// The field, as the operator wrote it.
        field: String,
        /// What it is mapped to.
        target: &'static str,
    },
    /// A field that the operator mapped does not hold what it must.
    #[error("{field} is {value}, not {expected}; it is mapped to {target}")]
    InvalidMappedField {
        /// The field, as the operator wrote it.
        field: String,
        /// What it is mapped to.
        target: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The device name is too long.
    #[error("device name has {bytes} bytes; at most {DEVICE_NAME_BYTES_MAX} are accepted")]
    DeviceTooLong {
        /// Length of the name in bytes.
        bytes: usize,
    },
}

impl From<DeviceNameError> for Malformed {
    fn from(error: DeviceNameError) -> Self {
        match error {
            DeviceNameError::Empty => Self::Missing { field: "device" },
            DeviceNameError::TooLong { bytes } => Self::DeviceTooLong { bytes },
        }
    }
}

impl NotAConnection {
    /// All reasons, in their order; each is at the index of its number.
    pub const ALL: [Self; Self::VARIANTS.len()] =
        *Self::VARIANTS.first_chunk().expect("as many as there are variants");

    /// The stable name in machine-readable reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherEvent => "otherEvent",
            Self::OtherTenant => "otherTenant",
            Self::Inbound => "inbound",
            Self::Listening => "listening",
            Self::Failed => "failed",
            Self::Inspected => "inspected",
            Self::StartNotSeen => "startNotSeen",
            Self::DirectionUnknown => "directionUnknown",
            Self::NoRemoteIp => "noRemoteIp",
            Self::NotInternal => "notInternal",
            Self::Relay => "relay",
            Self::NoTemplate => "noTemplate",
        }
    }

    /// What it means, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::OtherEvent => "another type of event",
            Self::OtherTenant => "of another tenant",
            Self::Inbound => "inbound, opened by the other side",
            Self::Listening => "a listening socket",
            Self::Failed => "failed or half-open attempt",
            Self::Inspected => "inspected traffic",
            Self::StartNotSeen => "midstream traffic, its start was not seen",
            Self::DirectionUnknown => "which end opened it is not shown",
            Self::NoRemoteIp => "no remote IP",
            Self::NotInternal => {
                "both ends external; say which networks are internal (--internal-network, internal_networks)"
            }
            Self::Relay => "passed on by a relay (not_devices)",
            Self::NoTemplate => "flows before their template, which exporters send from time to time",
        }
    }
}

impl fmt::Display for NotAConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}
