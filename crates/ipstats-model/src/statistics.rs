//! The answer, and what is behind it.

use crate::time::{Day, Minute, Timestamp};

/// What an organization's telemetry says about one IP over one window. Exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpStatistics {
    /// Contacted within the window.
    Seen {
        /// Distinct devices that opened a connection to the IP within the window; at least 1.
        prevalence: u64,
        /// First connection within the window, never later than *now*.
        first_seen: Timestamp,
        /// Last connection within the window, never later than *now*.
        last_seen: Timestamp,
    },
    /// Contacted within the retained 30 days, but not within the window.
    NotInWindow,
    /// Not contacted in the retained 30 days.
    Unknown,
}

/// One device behind an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceContact {
    /// The device's name.
    pub device: String,
    /// Minute of its last contact.
    pub last: Minute,
}

/// Distinct devices on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPrevalence {
    /// The day.
    pub day: Day,
    /// Devices with a contact on it.
    pub prevalence: u64,
}
