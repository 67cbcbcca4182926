//! Syslog: how messages are framed, who may send, and what becomes of messages when the service ends.

use super::Post;
use crate::cli::model::{Connection, Model, rfc3339};
use crate::service::Service;
use crate::site::{NOW, expected};
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

fn connection(number: u32) -> Connection {
    let ip = IpAddr::from([198, 51, 100, (number % 20) as u8]);
    (format!("pc-{}", number % 40), ip, NOW - i64::from(number) * 7)
}

fn model(numbers: impl Iterator<Item = u32>) -> Model {
    Model { connections: numbers.map(connection).collect() }
}

fn record(number: u32) -> String {
    let (device, ip, at) = connection(number);
    format!(r#"{{"device":"{device}","ip":"{ip}","time":"{}"}}"#, rfc3339(at))
}

/// A message with the record, as one of several kinds of devices sends it.
fn message(number: u32) -> String {
    let record = record(number);
    match number % 5 {
        0 => format!("<13>1 2026-11-01T10:00:00.1Z host zeek 7 conn [x@1 a=\"]{{\\\"\"] \u{feff}{record}"),
        1 => format!("<13>Nov  1 10:00:00 host zeek[7]: @cee: {record}"),
        2 => format!("<13>Nov  1 10:00:00 2026 host zeek: {record}"),
        3 => format!("Nov  1 10:00:00 host zeek: {record}"),
        _ => record,
    }
}

/// What a connection carries for it.
fn framed(number: u32) -> String {
    let message = message(number);
    match number % 4 {
        0 if !message.starts_with('N') => format!("{} {message}", message.len()),
        1 => format!("{message}\r\n"),
        2 => format!("{message}\0"),
        _ => format!("{message}\n"),
    }
}

fn connect(post: &Post) -> TcpStream {
    TcpStream::connect(post.address()).unwrap()
}

fn send_datagrams(post: &Post, numbers: impl Iterator<Item = u32>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (count, number) in numbers.enumerate() {
        socket.send_to(message(number).as_bytes(), post.address()).unwrap();
        // Datagrams are dropped where they come faster than they are read.
        if count % 50 == 49 {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn messages_of_all_kinds_are_read_from_connections_and_datagrams() {
    let post = Post::new("syslog", &["udp", "tcp"], "");
    let service = post.serve();
    // Two at once, in parts that fit no message; other messages in between.
    let (mut one, mut two) = (connect(&post), connect(&post));
    let stream: String = (0..1000).map(framed).collect();
    for part in stream.as_bytes().chunks(997) {
        one.write_all(part).unwrap();
    }
    for number in 1000..2000 {
        two.write_all(framed(number).as_bytes()).unwrap();
        two.write_all(
            b"<86>Nov  1 10:00:00 host sshd[1]: session opened for user root(uid=0)\n<13>x: {\"a\":\n",
        )
        .unwrap();
    }
    send_datagrams(&post, 2000..2500);
    post.settle(&service, &model(0..2500));
    // A last message without a line end.
    one.write_all(message(2501).as_bytes()).unwrap();
    drop(one);
    post.settle(&service, &model((0..2500).chain([2501])));
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn what_is_too_long_costs_nothing_but_itself() {
    let post = Post::new("syslog", &["tcp"], "");
    let service = post.serve();
    let mut stream = connect(&post);
    for number in 0..10 {
        stream.write_all(framed(number).as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; 1 << 20]).unwrap();
        stream.write_all(b"\n").unwrap();
        stream.write_all(format!("{} <13>", 5 << 20).as_bytes()).unwrap();
        stream.write_all(&vec![b'\n'; (5 << 20) - 4]).unwrap();
    }
    post.settle(&service, &model(0..10));
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn what_had_arrived_when_the_service_is_stopped_is_kept() {
    let post = Post::new("syslog", &["udp", "tcp"], "");
    let service = post.serve();
    let mut stream = connect(&post);
    let first: String = (0..100).map(framed).collect();
    stream.write_all(first.as_bytes()).unwrap();
    send_datagrams(&post, 100..149);
    assert_eq!(service.stop().status.code(), Some(0));
    let all = model(0..149);
    assert_eq!(post.stored(&all), expected(&all, &all.ips().into_iter().collect::<Vec<_>>()));
}

#[test]
fn what_was_answered_survives_a_kill_and_the_next_service_takes_the_rest() {
    let post = Post::new("syslog", &["tcp"], "");
    for round in 0..3 {
        let service = post.serve();
        let mut stream = connect(&post);
        for number in round * 500..(round + 1) * 500 {
            stream.write_all(framed(number).as_bytes()).unwrap();
        }
        post.settle(&service, &model(0..(round + 1) * 500));
        service.end("KILL");
    }
    let all = model(0..1500);
    assert_eq!(post.stored(&all), expected(&all, &all.ips().into_iter().collect::<Vec<_>>()));
}

/// Whether the service closes a connection at once.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    matches!(stream.read(&mut [0]), Ok(0))
        || stream.write_all(b"x\n").and_then(|()| stream.write_all(b"x\n")).is_err()
}

/// How often `ipstats sources` says that a sender was refused.
fn refused(post: &Post) -> u64 {
    let told = post.site.place.run(&["sources", "--json"]).out;
    serde_json::from_str::<serde_json::Value>(&told).unwrap()["sources"][0]["refused"].as_u64().unwrap()
}

#[test]
fn who_is_not_named_is_refused_until_a_reload_names_them() {
    let post = Post::new("syslog", &["udp", "tcp"], "from = ['10.0.0.0/8']\n");
    let service = post.serve();
    assert!(is_closed(&connect(&post)));
    send_datagrams(&post, 0..10);
    // The datagrams and the connection.
    Post::wait(|| refused(&post) >= 11, "nobody counts what is refused");
    let config = fs::read_to_string(post.file()).unwrap();
    fs::write(post.file(), config.replace("10.0.0.0/8", "127.0.0.1/32")).unwrap();
    service.signal("HUP");
    // What is sent before the reload is in force is refused.
    let (admitted, ip) = (model(10..11), connection(10).1);
    Post::wait(
        || {
            send_datagrams(&post, 10..11);
            post.site.answers(&service, &[ip]) == expected(&admitted, &[ip])
        },
        "the reload is not in force",
    );
    post.settle(&service, &admitted);
    assert!(!is_closed(&connect(&post)));
    let log = end(service);
    assert!(log.contains("what this sender sends is refused: it is in no network of `from`"), "{log}");
}

#[test]
fn an_address_that_is_taken_is_said_and_tried_again() {
    let post = Post::new("syslog", &["udp"], "");
    let holder = UdpSocket::bind(post.address()).unwrap();
    let service = post.serve();
    let said = format!("cannot listen on udp://127.0.0.1:{}: Address already in use", post.port);
    service.wait_for_log(&said, 1);
    // The service tries again several times.
    thread::sleep(Duration::from_millis(2500));
    drop(holder);
    Post::wait(
        || {
            send_datagrams(&post, 0..1);
            post.site.answers(&service, &[connection(0).1]) == expected(&model(0..1), &[connection(0).1])
        },
        "the address is not taken again",
    );
    let log = end(service);
    assert_eq!(log.matches(&said).count(), 1, "{log}");
}

#[test]
fn a_reload_that_wants_an_address_which_is_taken_changes_nothing() {
    let post = Post::new("syslog", &["udp"], "");
    let service = post.serve();
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (old, taken) = (format!("127.0.0.1:{}'", post.port), format!("{}'", holder.local_addr().unwrap()));
    let config = fs::read_to_string(post.file()).unwrap();
    fs::write(post.file(), config.replace(&old, &taken)).unwrap();
    service.signal("HUP");
    service.wait_for_log("stays as it was", 1);
    assert!(post.is_listening(), "the source that was there goes on");
    send_datagrams(&post, 0..1);
    post.settle(&service, &model(0..1));
    // Its own address is free for another setting, and with another address in front.
    fs::write(
        post.file(),
        config.replace(&old, &format!("0.0.0.0:{}'", post.port))
            + "insecure_listen = true\nfrom = ['127.0.0.0/8']\n",
    )
    .unwrap();
    service.signal("HUP");
    Post::wait(|| UdpSocket::bind(("127.0.0.3", post.port)).is_err(), "the reload is not in force");
    send_datagrams(&post, 1..2);
    post.settle(&service, &model(0..2));
    let log = end(service);
    let said = format!(
        "the configuration stays as it was: source \"post\" cannot listen on udp://{}",
        taken.trim_end_matches('\'')
    );
    assert_eq!(log.matches(&said).count(), 1, "{log}");
    assert_eq!(log.matches("stays as it was").count(), 1, "{log}");
}

fn end(service: Service) -> String {
    let output = service.stop();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stderr).unwrap()
}
