//! What can be asked of the service, as quotas, the audit log and the metrics tell it apart.

use strum::VariantArray;

/// What is asked of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
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
    /// Another operation of Defender, which this service does not have.
    NotImplemented,
    /// A path that leads nowhere.
    Unknown,
}

impl Operation {
    /// All of them, each at its own index.
    pub const ALL: [Self; Self::VARIANTS.len()] =
        *Self::VARIANTS.first_chunk().expect("as many as there are variants");

    /// Its name in logs and metrics; never changed, because alerts are written against it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpStats => "ip_stats",
            Self::Ingest => "ingest",
            Self::Token => "token",
            Self::Description => "description",
            Self::Health => "health",
            Self::NotImplemented => "not_implemented",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody is let in or turned away, so that it has a line in the audit log.
    pub const fn is_decision(self) -> bool {
        matches!(self, Self::IpStats | Self::Ingest | Self::Token | Self::NotImplemented)
    }
}
