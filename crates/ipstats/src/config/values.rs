//! Values of single settings, each with the one text form it is written in.

/// What is answered for an IP that was not contacted in the retained 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownIp {
    /// 404 `ResourceNotFound`.
    #[default]
    NotFound,
    /// 200 with zero devices.
    Zero,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A URL under which clients reach the service: scheme, host, optional port and path prefix; no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
