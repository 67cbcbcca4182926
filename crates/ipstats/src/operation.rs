//! What can be asked of the service, as quotas, the audit log and the metrics tell it apart.

/// What is asked of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// "Get IP statistics".
    IpStats,
    /// A log sent in.
    Ingest,
    /// A token of the built-in authority.
    Token,
    /// Documents that describe the service: metadata, keys, discovery.
    Description,
    /// Liveness and readiness.
    Health,
    /// A path that leads nowhere.
    Unknown,
}

impl Operation {
    /// All of them, each at its own index.
    pub const ALL: [Self; 6] =
        [Self::IpStats, Self::Ingest, Self::Token, Self::Description, Self::Health, Self::Unknown];

    /// Its name in logs and metrics; never changed, because alerts are written against it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpStats => "ip_stats",
            Self::Ingest => "ingest",
            Self::Token => "token",
            Self::Description => "description",
            Self::Health => "health",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody is let in or turned away, so that it has a line in the audit log.
    pub const fn is_decision(self) -> bool {
        matches!(self, Self::IpStats | Self::Ingest | Self::Token)
    }
}
