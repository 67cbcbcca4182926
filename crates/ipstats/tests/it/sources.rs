//! `ipstats sources`, and what else an operator sees of the sources of a running service.

use crate::cli::Done;
use crate::service::{self, Service};
use crate::site::{NOW, Site, status};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

const HEADER: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n";

const PATIENCE: Duration = Duration::from_mins(5);

/// A site with two followed sources: one that counts, and one whose network nobody declared.
fn site() -> Site {
    let site = Site::new();
    let file = site.place.path("ipstats.toml");
    let source = |name: &str| {
        format!(
            "[[sources]]\nname = '{name}'\norganization = 'contoso'\nkind = 'files'\nformat = 'zeek'\n\
             paths = ['{name}/*.log']\n"
        )
    };
    let rest = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{rest}{}{}", source("office"), source("campus"))).unwrap();
    for folder in ["office", "campus"] {
        fs::create_dir(site.place.path(folder)).unwrap();
    }
    site
}

fn serve(site: &Site) -> Service {
    let mut command = site.serving();
    command.env("IPSTATS_LOG_LEVEL", "warn");
    Service::start(command)
}

fn rows(device: &str, count: i64) -> String {
    let row = |number: i64| format!("{}.5\t{device}\t198.51.100.7\tSF\n", NOW - 60 - number);
    (0..count).map(row).collect()
}

fn ask(site: &Site, arguments: &[&str]) -> Done {
    site.place.run(&[&["sources"], arguments].concat())
}

/// What the service tells of the source `name`, once it is as `wanted`.
fn until(site: &Site, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let done = ask(site, &["--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let told: Value = serde_json::from_str(&done.out).unwrap();
        let sources = told["sources"].as_array().unwrap();
        let found = sources.iter().find(|source| source["name"] == name).unwrap().clone();
        if wanted(&found) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn each_source_is_shown_with_its_records_its_lag_and_what_hinders_it() {
    let site = site();
    let service = serve(&site);
    let hindered = until(&site, "office", |source| source["state"] == "retrying");
    assert!(hindered["reason"].as_str().unwrap().starts_with("no file matches "), "{hindered}");
    assert!(hindered["since"].is_string() && hindered["lagSeconds"].is_null(), "{hindered}");

    let mut failed = rows("10.0.0.1", 3);
    failed.push_str(&rows("10.0.0.2", 2).replace("SF", "S0"));
    fs::write(site.place.path("office/conn.log"), format!("{HEADER}{failed}7\t10.0.0.1\n")).unwrap();
    fs::write(site.place.path("campus/conn.log"), format!("{HEADER}{}", rows("203.0.113.9", 1500))).unwrap();
    let office = until(&site, "office", |source| source["lastHour"]["counted"] == 3);
    assert_eq!(office["state"], "running", "{office}");
    assert_eq!((&office["kind"], &office["format"]), (&"files".into(), &"zeek".into()));
    assert_eq!(office["lastMinute"]["notAConnection"]["failed"], 2, "{office}");
    assert_eq!((&office["lastHour"]["malformed"], &office["noneCounts"]), (&1.into(), &Value::Null));
    assert_eq!((&office["lagSeconds"], &office["backlogBytes"]), (&60.into(), &0.into()), "{office}");
    assert_eq!(office["newestEvent"], "2017-08-29T13:31:59Z");
    let campus = until(&site, "campus", |source| source["lastHour"]["notAConnection"]["notInternal"] == 1500);
    let why = "all 1,500 records: both ends external; set internal_networks, or originator_is_device = true (flags of import: --internal-network, --originator-is-device)";
    assert_eq!(campus["noneCounts"], why);

    // A key over HTTP: nothing yet, then a log, then no log.
    let sensor = until(&site, "sensor", |_| true);
    assert_eq!((&sensor["kind"], &sensor["lastHour"]["counted"]), (&"ingest-key".into(), &0.into()));
    let send = |body: &str| {
        service.send(&format!(
            "POST /api/ingest/auto HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            site.key(),
            body.len()
        ))
    };
    assert_eq!(status(&send(&format!("{HEADER}{}", rows("10.0.0.3", 4))).0), 200);
    assert_eq!(status(&send("nonsense\n").0), 400);
    let sensor = until(&site, "sensor", |source| source["lastHour"]["counted"] == 4);
    assert_eq!(sensor["state"], "failed");
    assert!(sensor["reason"].as_str().unwrap().starts_with("the last log that came: "), "{sensor}");

    let table = ask(&site, &[]);
    assert_eq!(table.code, Some(0), "{table:?}");
    let lines: Vec<_> = table.out.lines().collect();
    assert!(lines[0].starts_with("SOURCE  KIND        FORMAT  STATE"), "{}", table.out);
    assert!(lines.iter().any(|line| line.trim() == format!("nothing of the last hour counts: {why}")));
    let office = lines.iter().find(|line| line.starts_with("office ")).unwrap();
    assert_eq!(
        office.split_whitespace().collect::<Vec<_>>()[3..],
        ["running", "1", "min", "0", "s", "minute", "3", "2", "0", "1"]
    );
    assert!(lines.iter().filter(|line| !line.starts_with("  ")).all(|line| line.chars().count() <= 100));
    // The log says it once, too.
    let said = String::from_utf8(service.stop().stderr).unwrap();
    assert_eq!(said.lines().filter(|line| line.contains(why)).count(), 1, "{said}");
}

#[test]
fn only_the_sources_of_an_organization_are_shown_where_one_is_named() {
    let site = site();
    let file = site.place.path("ipstats.toml");
    let other = "[[organizations]]\nid = '7d4a1c60-0f6b-4f7e-9d1b-2f6a8e5c9b10'\nname = 'fabrikam'\n";
    fs::write(&file, format!("{}{other}", fs::read_to_string(&file).unwrap())).unwrap();
    let _service = serve(&site);
    let named = |arguments: &[&str]| {
        let told: Value = serde_json::from_str(&ask(&site, arguments).out).unwrap();
        told["sources"].as_array().unwrap().len()
    };
    assert_eq!(named(&["--json"]), 3);
    assert_eq!(named(&["--json", "--organization", "contoso"]), 3);
    assert_eq!(named(&["--json", "--organization", "fabrikam"]), 0);
    assert!(ask(&site, &[]).out.contains("organization contoso"));
    assert_eq!(ask(&site, &["--organization", "nobody"]).code, Some(1));
}

#[test]
fn without_a_service_it_is_said_what_to_do() {
    let site = Site::new();
    let done = ask(&site, &[]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("no service runs on the data folder data: start it with `ipstats serve`"),
        "{done:?}"
    );
    // A socket that a killed service left behind is no obstacle, to either side.
    serve(&site).end("KILL");
    assert!(site.place.path("data/operator.sock").exists());
    assert!(ask(&site, &[]).err.contains("no service runs"), "left behind");
    let service = serve(&site);
    assert_eq!(ask(&site, &["--json"]).code, Some(0));
    assert_eq!(service.stop().status.code(), Some(0));
    assert!(!site.place.path("data/operator.sock").exists());
}

#[test]
fn the_socket_serves_metrics_and_sources_and_nothing_else() {
    let site = site();
    fs::write(site.place.path("office/conn.log"), format!("{HEADER}{}", rows("10.0.0.1", 3))).unwrap();
    let _service = serve(&site);
    until(&site, "office", |source| source["lastHour"]["counted"] == 3);
    let get = |path: &str| {
        let mut stream = UnixStream::connect(site.place.path("data/operator.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        std::io::read_to_string(stream).unwrap()
    };
    let page = get("/metrics");
    let labels = "source=\"office\",kind=\"files\",organization=\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"";
    for line in [
        format!("ipstats_source_records_total{{{labels},outcome=\"counted\",reason=\"\"}} 3"),
        format!("ipstats_source_running{{{labels}}} 1"),
        format!("ipstats_source_lag_seconds{{{labels}}} 60"),
        format!("ipstats_source_newest_event_timestamp_seconds{{{labels}}} {}", NOW - 60),
        format!("ipstats_source_backlog_bytes{{{labels}}} 0"),
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in {page}");
    }
    assert!(get("/sources").contains("\"name\":\"office\""));
    assert_eq!(status(&get("/api/ips/198.51.100.7/stats")), 404);
}

#[test]
fn a_listener_for_metrics_shows_sources_to_this_machine() {
    let site = site();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = site.serving();
    command.env("IPSTATS_LOG_LEVEL", "warn").env("IPSTATS_METRICS_LISTEN", &address);
    let service = Service::start(command);
    let get = |address: &str| {
        let request = "GET /sources HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        service::send(address, request).unwrap()
    };
    let (head, body) = get(&address);
    assert_eq!(status(&head), 200, "{head}");
    assert!(body.contains("\"name\":\"campus\""), "{body}");
    // The API does not know it, with or without a token.
    assert_eq!(status(&get(&service.address).0), 404);
}
