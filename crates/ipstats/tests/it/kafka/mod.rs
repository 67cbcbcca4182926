//! Topics of a broker that nobody here wrote, read by the real service.

mod broker;
mod cases;
mod front;
mod record_batch;
mod stub;

use crate::cli::model::{Connection, Model};
use crate::service::Service;
use crate::site::{NOW, Site, log};
use broker::Broker;
use front::Front;
use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

/// How long the service may take to know what was sent.
const WAIT_TIME_MAX: Duration = Duration::from_mins(5);

const TOPIC: &str = "connections";

/// A site that reads the topic as `source` says, and what was sent.
struct Reader {
    site: Site,
    sent: Model,
}

impl Reader {
    fn new(source: &str) -> Self {
        let site = Site::new();
        let file = site.place.path("ipstats.toml");
        let rest = fs::read_to_string(&file).unwrap();
        let source = format!("[[sources]]\nname = 'stream'\norganization = 'contoso'\n{source}\n");
        fs::write(&file, format!("rate_limits = ['off']\n{rest}{source}")).unwrap();
        Self { site, sent: Model::default() }
    }

    fn of_broker(broker: &Broker) -> Self {
        Self::new(&format!("kind = 'kafka'\nbrokers = ['{}']\ntopic = '{TOPIC}'", broker.address))
    }

    /// Nobody reads the log of the service while it runs: it must not fill the pipe.
    fn serve(&self) -> Service {
        let mut command = self.site.serving();
        command.env("IPSTATS_LOG_LEVEL", "warn");
        Service::start(command)
    }

    /// Messages with new connections: one record each, or several in an array.
    fn messages(&mut self, count: usize) -> Vec<String> {
        let message = |_| {
            let first = u32::try_from(self.sent.connections.len()).unwrap();
            let connection = |number: u32| -> Connection {
                let ip = IpAddr::from([198, 51, 100, (number % 20) as u8]);
                (format!("host-{}", number % 60), ip, NOW - i64::from(number) * 5)
            };
            let several = if first.is_multiple_of(3) { 4 } else { 1 };
            let part = Model { connections: (first..first + several).map(connection).collect() };
            let text = log(&part);
            self.sent.connections.extend(part.connections);
            if several == 1 { text } else { format!("[{}]", text.trim_end().replace('\n', ",")) }
        };
        (0..count).map(message).collect()
    }

    /// New connections, one record each.
    fn records(&mut self, count: usize) -> Vec<Vec<u8>> {
        let record = |_| {
            let number = u32::try_from(self.sent.connections.len()).unwrap();
            let ip = IpAddr::from([198, 51, 100, (number % 20) as u8]);
            let one =
                Model { connections: vec![(format!("host-{number}"), ip, NOW - i64::from(number) * 5)] };
            let text = log(&one);
            self.sent.connections.extend(one.connections);
            text.into_bytes()
        };
        (0..count).map(record).collect()
    }

    fn settle(&self, service: &Service) {
        self.site.settle(service, &self.sent, WAIT_TIME_MAX);
    }
}

#[test]
#[ignore = "needs .ci/peers/kafka.sh"]
fn every_partition_is_read_and_a_kill_loses_nothing() {
    let broker = Broker::start();
    broker.create(TOPIC, 4);
    let mut reader = Reader::of_broker(&broker);
    for round in 0..4_u64 {
        let service = reader.serve();
        for step in 0..12 {
            broker.produce(TOPIC, step % 4, reader.messages(25));
            thread::sleep(Duration::from_millis(20 + round * 40));
        }
        service.end("KILL");
    }
    let service = reader.serve();
    reader.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
#[ignore = "needs .ci/peers/kafka.sh"]
fn a_service_that_was_stopped_reads_on_behind_its_checkpoint() {
    let broker = Broker::start();
    broker.create(TOPIC, 1);
    let mut reader = Reader::of_broker(&broker);
    broker.produce(TOPIC, 0, reader.messages(40));
    let service = reader.serve();
    reader.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
    drop(broker);

    // The same address, with other records at the offsets that were read: whatever is read again would show.
    let broker = Broker::start();
    broker.create(TOPIC, 1);
    let mut stranger = Reader { site: Site::new(), sent: Model::default() };
    let foreign = stranger.messages(40).iter().map(|text| text.replace("host-", "stranger-")).collect();
    broker.produce(TOPIC, 0, foreign);
    broker.produce(TOPIC, 0, reader.messages(10));
    let file = reader.site.place.path("ipstats.toml");
    let config = fs::read_to_string(&file).unwrap();
    let line = config.lines().find(|line| line.starts_with("brokers")).unwrap();
    fs::write(&file, config.replace(line, &format!("brokers = ['{}']", broker.address))).unwrap();
    let service = reader.serve();
    reader.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
#[ignore = "needs .ci/peers/kafka.sh"]
fn a_broker_may_go_away_and_come_back() {
    let broker = Broker::start();
    broker.create(TOPIC, 2);
    let mut reader = Reader::of_broker(&broker);
    let service = reader.serve();
    broker.produce(TOPIC, 0, reader.messages(10));
    reader.settle(&service);
    broker.signal("STOP");
    thread::sleep(Duration::from_secs(3));
    broker.signal("CONT");
    broker.produce(TOPIC, 1, reader.messages(10));
    reader.settle(&service);
    // All that the broker has was read, and it is said so.
    let told = reader.site.place.run(&["sources", "--json"]).out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let source = &told["sources"][0];
    assert_eq!((&source["backlogRecords"], &source["backlogBytes"]), (&0.into(), &serde_json::Value::Null));
    let sent = reader.sent.connections.len() as u64;
    assert!(
        source["kind"] == "kafka" && source["sinceStart"]["counted"].as_u64().unwrap() >= sent,
        "{source}"
    );
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
#[ignore = "needs .ci/peers/kafka.sh"]
fn an_event_hub_is_read_with_its_connection_string_over_tls() {
    let connection_string = "SharedAccessKeyName=read;SharedAccessKey=c2VjcmV0+/=;EntityPath=connections";
    let (front, broker) =
        Front::start("$ConnectionString", |address| format!("Endpoint=sb://{address}/;{connection_string}"));
    broker.create(TOPIC, 2);
    let mut reader = Reader::new(
        "kind = 'event-hubs'\nconnection_string_file = 'hub.secret'\nca_file = 'ca.pem'\nca_only = true\nformat = 'ndjson'",
    );
    fs::write(reader.site.place.path("ca.pem"), &front.certificate).unwrap();
    fs::write(reader.site.place.path("hub.secret"), "Endpoint=sb://localhost:1/;SharedAccessKey=wrong\n")
        .unwrap();
    let service = reader.serve();
    front.produce(TOPIC, 1, reader.messages(30));
    let logins = front.logins();
    // The secret is mended while the service runs.
    fs::write(reader.site.place.path("hub.secret"), format!("{}\n", front.password)).unwrap();
    reader.settle(&service);
    let said = String::from_utf8(service.stop().stderr).unwrap();
    assert!(said.contains("names no hub (EntityPath)"), "{said}");
    assert!(!said.contains("c2VjcmV0") && !said.contains("wrong"), "{said}");
    assert!(front.logins() > logins);
}
