//! Uploads of the real service over sockets: which of them wait, which are refused, and when that is decided.

use crate::cli::model::Model;
use crate::service::{self, Service};
use crate::site::{NOW, Protocol, Site, status};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a state. It is never reached where the service works.
const WAIT_TIME_MAX: Duration = Duration::from_mins(5);

/// Records that one thread sends, one a request.
const REQUESTS: u32 = 20;

/// Logs warnings only: no test reads the log, and a full pipe would stop the service.
fn serve(site: &Site) -> Service {
    let mut command = site.serving();
    command.env("IPSTATS_LOG_LEVEL", "warn").env("IPSTATS_RATE_LIMITS", "off");
    Service::start(command)
}

fn ip(number: u32) -> IpAddr {
    Ipv4Addr::from(0xcb00_7100 + number).into()
}

#[test]
fn small_uploads_wait_for_their_turn() {
    for threads in [8, 16] {
        let site = Site::new();
        let service = serve(&site);
        let model = Model {
            connections: (0..threads * REQUESTS)
                .map(|number| (format!("host-{number}"), ip(number % 50), NOW - 60))
                .collect(),
        };
        thread::scope(|scope| {
            for (thread, sent) in model.connections.chunks(REQUESTS as usize).enumerate() {
                let (site, service) = (&site, &service);
                scope.spawn(move || {
                    for (number, connection) in sent.iter().enumerate() {
                        let protocol = Protocol::ALL[(thread + number) % Protocol::ALL.len()];
                        let batch = Model { connections: vec![connection.clone()] };
                        let (status, answer) = site.ingest_in(protocol, &service.address, &batch).unwrap();
                        assert!(status == 200 && protocol.is_success(&answer), "{status}: {answer}");
                    }
                });
            }
        });
        site.settle(&service, &model, WAIT_TIME_MAX);
        assert_eq!(site.refused_uploads(), 0);
        assert_eq!(service.stop().status.code(), Some(0));
    }
}

/// A long body that stalls: it holds a place until the service gives its sender up.
fn stalled(site: &Site, service: &Service) -> TcpStream {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    let head = format!(
        "POST /api/ingest/ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 1000000\r\n\r\n",
        site.key()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b'\n'; 100_000]).unwrap();
    stream
}

#[test]
fn refused_uploads_are_counted_by_key() {
    let site = Site::new();
    let service = serve(&site);
    // More than all places that the service has on this machine.
    let senders = thread::available_parallelism().unwrap().get() * 4 + 1;
    let _stalled: Vec<_> = (0..senders).map(|_| stalled(&site, &service)).collect();
    let started = Instant::now();
    while site.refused_uploads() == 0 {
        assert!(started.elapsed() < WAIT_TIME_MAX, "no upload was refused");
        thread::sleep(Duration::from_millis(50));
    }
    let table = site.place.run(&["sources"]).out;
    assert!(table.contains(" refused since the service began"), "{table}");
    // Small uploads have places of their own.
    let model = Model { connections: vec![("laptop".to_owned(), ip(1), NOW - 60)] };
    assert_eq!(site.ingest(&service.address, &model).unwrap().0, 200);
}

/// All that the service sends to this head, without a body: it must close the connection or answer.
fn answer_to_head(service: &Service, head: &str) -> String {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(WAIT_TIME_MAX)).unwrap();
    let head = format!("POST {head}\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A client that waits for `100 Continue` with its body learns first what its head decides.
#[test]
fn head_decides_before_body_is_asked_for() {
    let site = Site::new();
    let service = site.serve();
    let key = format!("Authorization: Bearer {}", site.key());
    let long = "Content-Length: 2000000000";
    for (expected, path, headers) in [
        (413, "/api/ingest/ndjson", format!("{key}\r\n{long}")),
        (413, "/elastic/_bulk", format!("{key}\r\n{long}\r\nContent-Type: application/x-ndjson")),
        (413, "/services/collector/event", format!("{key}\r\n{long}")),
        (413, "/services/collector/raw", format!("{key}\r\n{long}")),
        (413, "/v1/logs", format!("{key}\r\n{long}\r\nContent-Type: application/x-protobuf")),
        (413, "/v1/logs", format!("{key}\r\n{long}\r\nContent-Type: application/json")),
        (400, "/services/collector/ack", format!("{key}\r\n{long}")),
        (400, "/default/oauth2/token", long.to_owned()),
        (401, "/api/ingest/ndjson", long.to_owned()),
        (401, "/api/ingest/ndjson", format!("Authorization: Bearer wrong\r\n{long}")),
        (401, "/elastic/_bulk", "Content-Length: 10".to_owned()),
        (401, "/v1/logs", "Content-Length: 10\r\nContent-Type: application/json".to_owned()),
        (415, "/api/ingest/ndjson", format!("{key}\r\nContent-Encoding: br\r\nContent-Length: 10")),
        (415, "/v1/logs", format!("{key}\r\nContent-Type: text/plain\r\nContent-Length: 10")),
        (404, "/api/nothing", format!("{key}\r\nContent-Length: 10")),
    ] {
        let answer = answer_to_head(&service, &format!("{path} HTTP/1.1\r\n{headers}"));
        assert!(answer.starts_with("HTTP/1.1 "), "{path} {headers}: {answer:?}");
        assert_eq!(status(&answer), expected, "{path} {headers}: {answer}");
    }
    // A body that may be sent is asked for.
    let head = format!("POST /api/ingest/ndjson HTTP/1.1\r\nHost: x\r\n{key}\r\nContent-Length: 1\r\n");
    let request = format!("{head}Connection: close\r\nExpect: 100-continue\r\n\r\n\n");
    let (head, _) = service::send(&service.address, request).unwrap();
    assert_eq!(head, "HTTP/1.1 100 Continue");
}
