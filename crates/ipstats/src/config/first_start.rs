//! Starting without a configuration: one organization and one application, made once and kept in the data folder.

use super::access::ClientId;
use ipstats_model::Organization;
use std::fmt;
use std::path::PathBuf;

/// What was made at the first start, to be shown once.
#[derive(Debug, Clone)]
pub struct FirstStart {
    /// The organization.
    pub organization: Organization,
    /// The application.
    pub client_id: ClientId,
    /// The file that keeps it all, the client secret included.
    pub file: PathBuf,
}

/// The first start could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct FirstStartError {
    file: String,
    reason: String,
}

impl fmt::Display for FirstStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "organization {}, application {} ({})",
            self.organization,
            self.client_id,
            self.file.display()
        )
    }
}
