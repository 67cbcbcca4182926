//! A service whose process has no descriptors left: nothing is lost or made up, it is said once, and it passes.

use crate::cli::model::Model;
use crate::service::{Service, send};
use crate::site::{NOW, Site};
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The address stands last: a cut row can look like a whole one.
const HEADER: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tconn_state\tid.resp_h\n";

/// Longer than a followed file may be missing before it counts as gone.
const WITHOUT: Duration = Duration::from_secs(7);
const PATIENCE: Duration = Duration::from_mins(5);

/// Lets the process open `more` descriptors than it has open now.
fn limit_descriptors(service: &Service, more: usize) {
    let open = fs::read_dir(format!("/proc/{}/fd", service.id())).unwrap().count();
    let limits = format!("--nofile={0}:{0}", open + more);
    let done = Command::new("prlimit").args(["--pid", &service.id().to_string(), &limits]).status();
    assert!(done.unwrap().success());
}

#[test]
fn a_service_out_of_descriptors_goes_on_as_soon_as_there_are_some() {
    let site = Site::new();
    let config = site.place.path("ipstats.toml");
    let source = "[[sources]]\nname = 'zeek'\norganization = 'contoso'\nkind = 'files'\nformat = 'zeek'\n\
                  paths = ['current/*.log']\n";
    let rest = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("rate_limits = ['off']\n{rest}{source}")).unwrap();
    fs::create_dir(site.place.path("current")).unwrap();
    let mut log = File::create(site.place.path("current/conn.log")).unwrap();
    writeln!(log, "{HEADER}{NOW}.5\t10.0.0.1\tSF\t198.51.100.1").unwrap();
    let mut written = Model::default();
    written.connections.push(("10.0.0.1".to_owned(), IpAddr::from([198, 51, 100, 1]), NOW));
    let mut command = site.serving();
    command.env("IPSTATS_LOG_LEVEL", "warn");
    let service = Service::start(command);
    site.settle(&service, &written, PATIENCE);

    write!(log, "{NOW}.5\t10.0.0.2\tSF\t198.51.100.2").unwrap();
    thread::sleep(Duration::from_secs(2));
    limit_descriptors(&service, 6);
    let crowd: Vec<_> = (0..20).map(|_| TcpStream::connect(&service.address).unwrap()).collect();
    service.wait_for_log("no connection can be accepted", 1);
    thread::sleep(WITHOUT);
    writeln!(log, "5").unwrap();
    drop(crowd);

    written.connections.push(("10.0.0.2".to_owned(), IpAddr::from([198, 51, 100, 25]), NOW));
    site.settle(&service, &written, PATIENCE);
    let (head, _) = service.get("/api/ips/198.51.100.2/stats", site.token());
    assert!(head.starts_with("HTTP/1.1 404"), "a row that was never written counts: {head}");
    assert!(send(&service.address, "GET /readyz HTTP/1.0\r\n\r\n").unwrap().0.contains(" 200 "));
    let stopped = service.stop();
    let said = String::from_utf8(stopped.stderr).unwrap();
    // It is tried ten times a second, and said where that begins and ends: now and then a descriptor is there in between.
    let tries = said.matches("no connection can be accepted").count();
    assert!((1..20).contains(&tries), "{said}");
    assert_eq!(said.matches("connections are accepted again").count(), tries, "{said}");
    assert!(said.contains("Too many open files"), "{said}");
}
