//! ClickHouse's own TLS, with an authority of the operator's.

use super::failures::{ip, prevalence, send_until_taken};
use super::init::refused;
use super::server::{PASSWORD, Ports, Server, free_ports};
use super::{HISTORIES_OF_A_CLUSTER, PATIENT, access, config};
use crate::issued::Issued;
use crate::peer;
use crate::store::{conforms, new_organization};
use ipstats::clock::Clock;
use ipstats::store::{Store, init};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A server with a port for TLS, where it shows the certificate in a folder.
struct Encrypted {
    folder: TempDir,
    server: Server,
    port: u16,
}

impl Encrypted {
    fn start(issued: &Issued) -> Self {
        let folder = tempfile::tempdir().unwrap();
        show(&folder, issued);
        let [http, tcp, interserver, port] = free_ports();
        let path = folder.path().display();
        let settings = format!(
            "<https_port>{port}</https_port><openSSL><server><certificateFile>{path}/server.crt</certificateFile>
            <privateKeyFile>{path}/server.key</privateKeyFile><verificationMode>none</verificationMode>
            <loadDefaultCAFile>false</loadDefaultCAFile></server></openSSL>"
        );
        let server = Server::start_with(&Ports { http, tcp, interserver }, &settings);
        Self { folder, server, port }
    }

    /// Its address with this name.
    fn url(&self, name: &str) -> String {
        format!("https://{name}:{}", self.port)
    }

    /// Writes an authority to trust; its file.
    fn authority(&self, name: &str, pem: &str) -> String {
        let file = self.folder.path().join(name);
        fs::write(&file, pem).unwrap();
        file.display().to_string()
    }
}

/// Puts a certificate where the server finds it when it starts.
fn show(folder: impl AsRef<Path>, issued: &Issued) {
    fs::write(folder.as_ref().join("server.crt"), &issued.certificate).unwrap();
    fs::write(folder.as_ref().join("server.key"), &issued.key).unwrap();
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn a_server_is_believed_by_its_certificate_alone() {
    peer::place("clickhouse");
    let (right, wrong) = (Issued::to(&["localhost"]), Issued::to(&["localhost"]));
    let mut place = Encrypted::start(&right);
    let (trusted, other) =
        (place.authority("ca.crt", &right.authority), place.authority("other.crt", &wrong.authority));
    let store = |url: &str, ca: &str| format!("urls = ['{url}']\nca_file = '{ca}'\n{PATIENT}");
    let (url, server) = (place.url("localhost"), &[&place.server]);

    let not_trusted = [&url, "certificate is not trusted", "store.ca_file", "store.urls"];
    refused(server, &store(&url, &other), &not_trusted);
    refused(server, &format!("urls = ['{url}']"), &not_trusted);
    let other_name = place.url("127.0.0.1");
    refused(
        server,
        &store(&other_name, &trusted),
        &[&other_name, "certificate", "store.urls as the certificate names it"],
    );
    let plain = place.server.url().replace("http://127.0.0.1", "https://localhost");
    refused(server, &store(&plain, &trusted), &[&plain, "does not speak TLS", "https_port", "plain_http"]);
    let login =
        |file: &str| format!("{}\nusername = 'ipstats'\npassword_file = '{file}'", store(&url, &trusted));
    refused(server, &login("wrong"), &[&url, "401", "store.password_file"]);

    let (config, folder) = config(&login("clickhouse.secret"));
    fs::write(folder.path().join("clickhouse.secret"), PASSWORD).unwrap();
    init(access(&config)).unwrap();
    let store = Arc::new(Store::open(&config, &Clock::System).unwrap());
    conforms(&store, HISTORIES_OF_A_CLUSTER);
    somebody_else_in_its_place_learns_and_says_nothing(&mut place, &store, &right, &wrong);
    store.close_here().unwrap();
}

fn somebody_else_in_its_place_learns_and_says_nothing(
    place: &mut Encrypted,
    store: &Store,
    right: &Issued,
    wrong: &Issued,
) {
    let organization = new_organization();
    send_until_taken(store, organization, "before", &[ip(1)]);
    place.server.kill();
    show(&place.folder, wrong);
    place.server.begin();
    let told = prevalence(store, organization, ip(1)).unwrap_err();
    assert!(told.contains("certificate is not trusted") && told.contains("store.ca_file"), "{told}");
    place.server.kill();
    show(&place.folder, right);
    place.server.begin();
    send_until_taken(store, organization, "after", &[ip(1)]);
    assert_eq!(prevalence(store, organization, ip(1)), Ok(2));
}
