//! Clients that were written for Defender, and examples of the documentation, against the real binary.

mod examples;
mod msal;
mod recorded;

use crate::cli::ndjson;
use crate::service::Service;
use crate::site::Site;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
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
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // A certificate with the name of its issuer would count as issued by itself.
    ca.distinguished_name.push(DnType::CommonName, "authority of a test");
    let ca_key = KeyPair::generate().unwrap();
    fs::write(site.place.path("ca.crt"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    fs::write(site.place.path("tls.crt"), certificate.pem()).unwrap();
    fs::write(site.place.path("tls.key"), key.serialize_pem()).unwrap();
    let mut config = OpenOptions::new().append(true).open(site.place.path("ipstats.toml")).unwrap();
    config.write_all(b"\n[tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\n").unwrap();
    site.serve()
}
