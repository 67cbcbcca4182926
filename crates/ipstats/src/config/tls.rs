//! Where the certificate of the service is.

use super::reader::Section;
use std::path::{Path, PathBuf};

/// PEM files; relative ones in a configuration file are relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the service, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The table `[tls]`: both files or neither.
pub(super) fn read(mut section: Section<'_>, folder: &Path) -> Option<TlsFiles> {
    let certificate = section.read_path("certificate", folder);
    let key = section.read_path("key", folder);
    match (&certificate, &key) {
        (Some(_), None) => section.problem("key", "is missing: a certificate needs its private key"),
        (None, Some(_)) => section.problem("certificate", "is missing: a key needs its certificate"),
        _ => {}
    }
    section.finish();
    Some(TlsFiles { certificate: certificate?, key: key? })
}
