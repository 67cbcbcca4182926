//! Clients that were written for Defender, and examples of the documentation, against the real binary.

mod examples;
mod msal;
mod recorded;

use crate::cli::ndjson;
use crate::issued::Issued;
use crate::service::Service;
use crate::site::Site;
use std::fs::{self, OpenOptions};
use std::io::Write;

/// An address that two devices contacted.
const IP: &str = "10.209.67.177";

/// A site whose data folder knows [`IP`].
fn site() -> Site {
    let site = Site::new();
    let log = site.place.file(
        "log",
        ndjson(&[
            ("host-1", IP, "2017-08-29T09:00:00Z"),
            ("host-2", IP, "2017-08-29T13:32:59Z"),
            ("host-2", "203.0.113.77", "2017-08-20T10:00:00Z"),
        ]),
    );
    assert_eq!(site.import(&log).code, Some(0));
    site
}

/// Serves `site` over TLS; the certificate to trust is in the file `ca.crt` of its place.
pub(crate) fn serve_tls(site: &Site) -> Service {
    let issued = Issued::to(&["localhost", "127.0.0.1"]);
    fs::write(site.place.path("ca.crt"), issued.authority).unwrap();
    fs::write(site.place.path("tls.crt"), issued.certificate).unwrap();
    fs::write(site.place.path("tls.key"), issued.key).unwrap();
    let mut config = OpenOptions::new().append(true).open(site.place.path("ipstats.toml")).unwrap();
    config.write_all(b"\n[tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\n").unwrap();
    site.serve()
}
