//! Limits that are part of the semantics, each with its unit in its name.

/// Longest look-back and the retention of every record, in hours: 30 days ("Get IP statistics", `lookBackHours`).
pub const RETENTION_HOURS: u16 = 720;

/// How far ahead of *now* a record may lie, in seconds, before it is refused: the clock of a sensor.
pub const CLOCK_AHEAD_SECONDS_MAX: i64 = 300;

/// Longest device name, in bytes of UTF-8.
pub const DEVICE_NAME_BYTES_MAX: usize = 256;
