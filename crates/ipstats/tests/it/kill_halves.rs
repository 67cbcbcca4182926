//! SIGKILL between the two halves of flows (Suricata's `netflow`), wherever they come from: the second half is still known by
//! the first, and in the end the answers are those of one clean import.

use crate::listen::Post;
use crate::netflow_log::NetflowLog;
use crate::service::Service;
use crate::site::{Protocol, Site};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// How long the service may take to see what was written.
const PATIENCE: Duration = Duration::from_secs(40);

/// Sends a piece; whether it was acknowledged.
fn send(site: &Site, address: &str, protocol: Protocol, piece: &str) -> bool {
    let path = if protocol == Protocol::Plain { "/api/ingest/suricata" } else { protocol.path() };
    match site.post(address, path, protocol, piece) {
        Ok((200, answer)) => {
            assert!(protocol.is_success(&answer), "{protocol:?}: {answer}");
            true
        }
        _ => false,
    }
}

/// Nobody reads the log of the service while it runs: it must not fill the pipe.
fn serve(site: &Site) -> Service {
    let mut command = site.serving();
    command.env("IPSTATS_LOG_LEVEL", "warn").env("IPSTATS_RATE_LIMITS", "off");
    Service::start(command)
}

/// Lets `test` loose on a site for each protocol, all at once.
fn in_every_protocol(test: impl Fn(&Site, Protocol) + Sync) {
    thread::scope(|scope| {
        for protocol in Protocol::ALL {
            let test = &test;
            scope.spawn(move || test(&Site::new(), protocol));
        }
    });
}

#[test]
fn a_kill_behind_every_acknowledged_piece() {
    let log = NetflowLog::new(9);
    in_every_protocol(|site, protocol| {
        for record in &log.records {
            let service = serve(site);
            assert!(send(site, &service.address, protocol, record), "{protocol:?}");
            service.end("KILL");
            let service = serve(site);
            // The answer was lost.
            assert!(send(site, &service.address, protocol, record), "{protocol:?}");
            service.end("KILL");
        }
        log.check(site);
    });
}

#[test]
fn a_reload_behind_every_acknowledged_piece() {
    let log = NetflowLog::new(30);
    in_every_protocol(|site, protocol| {
        let service = serve(site);
        for record in &log.records {
            assert!(send(site, &service.address, protocol, record), "{protocol:?}");
            service.signal("HUP");
        }
        assert_eq!(service.stop().status.code(), Some(0));
        log.check(site);
    });
}

#[test]
fn kills_while_pieces_are_sent_by_somebody_who_tries_again() {
    let log = NetflowLog::new(400);
    let pieces = log.pieces();
    assert_eq!(pieces.join("\n"), log.records.join("\n"));
    in_every_protocol(|site, protocol| {
        let mut sent = 0;
        for round in 0..u64::MAX {
            let service = serve(site);
            sent += thread::scope(|scope| {
                let rest = pieces.iter().skip(sent);
                let sender = scope
                    .spawn(|| rest.take_while(|piece| send(site, &service.address, protocol, piece)).count());
                if round < 12 {
                    thread::sleep(Duration::from_millis(round * 37 % 150));
                    service.signal("KILL");
                }
                sender.join().unwrap()
            });
            if sent == pieces.len() {
                break;
            }
            assert!(round < 12, "{protocol:?}: piece {sent} is not taken");
        }
        log.check(site);
    });
}

#[test]
fn a_kill_behind_every_opening_that_syslog_brought() {
    let log = NetflowLog::new(9);
    for transport in ["tcp", "udp"] {
        let post = Post::new("syslog", &[transport], "");
        let mut sent = 0;
        for (number, opened) in (1..).zip(&log.opened) {
            let is_opening = number == 1 || log.opened[number - 2] < *opened;
            if !is_opening && number < log.records.len() {
                continue;
            }
            let service = post.serve();
            let messages = log.records[sent..number].iter().map(|record| format!("<13>{record}\n"));
            if transport == "tcp" {
                let mut stream = TcpStream::connect(post.address()).unwrap();
                messages.for_each(|message| stream.write_all(message.as_bytes()).unwrap());
            } else {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                for message in messages {
                    socket.send_to(message.as_bytes(), post.address()).unwrap();
                }
            }
            sent = number;
            post.settle(&service, &log.model_after(sent));
            // What the last answer says is not seen from outside.
            service.end(if is_opening { "KILL" } else { "TERM" });
        }
        log.check(&post.site);
    }
}

#[test]
fn kills_while_a_followed_log_grows_and_is_rotated() {
    let (site, log) = (Site::new(), NetflowLog::new(300));
    let config = "[[sources]]\nname = 'eve'\norganization = 'contoso'\nkind = 'files'\nformat = 'suricata'\n\
                  paths = ['eve.json*']\n";
    let file = site.place.path("ipstats.toml");
    let rest = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{rest}{config}")).unwrap();
    let live = site.place.path("eve.json");
    // Which file is older must not be seen from its inode.
    let mut files: Vec<_> = (0..9).map(|number| site.place.path(&format!("next-{number}"))).collect();
    files.iter().for_each(|file| fs::write(file, "").unwrap());
    for (number, part) in log.records.chunks(39).enumerate() {
        if !live.exists() {
            fs::rename(files.pop().unwrap(), &live).unwrap();
        }
        let service = serve(&site);
        for piece in part.chunks(8) {
            let mut live = OpenOptions::new().append(true).open(&live).unwrap();
            piece.iter().for_each(|record| writeln!(live, "{record}").unwrap());
            thread::sleep(Duration::from_millis(number as u64 * 97 % 400));
        }
        service.end("KILL");
        // Some rotations come before the last records were read, others behind them.
        if number % 2 == 0 {
            fs::rename(&live, site.place.path(&format!("eve.json.{number}"))).unwrap();
        }
    }
    let service = serve(&site);
    site.settle(&service, &log.model, PATIENCE);
    assert_eq!(service.stop().status.code(), Some(0));
    log.check(&site);
}
