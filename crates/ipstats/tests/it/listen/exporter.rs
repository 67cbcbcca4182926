//! softflowd, an exporter that nobody here wrote, reads captured packets and exports their flows. What was captured is
//! written here, packet by packet.

use super::Post;
use crate::cli::model::{Answer, Connection, Model};
use crate::peer;
use crate::site::{NOW, expected};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x18;
const FIN: u8 = 0x11;

/// When the first packet is captured. Exporters tell times in whole seconds and fractions of their own: this one is in the
/// middle of a second.
const BEGIN_MILLIS: i64 = (NOW - 3000) * 1000 + 500;

/// Longest time for the exporter.
const EXPORT_SECONDS_MAX: u32 = 30;

type End = (Ipv4Addr, u16);

/// Packets in the form of libpcap, of Ethernet.
struct Capture(Vec<u8>);

impl Capture {
    fn new() -> Self {
        let mut bytes = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        bytes.extend([2_u16, 4].map(u16::to_le_bytes).concat());
        bytes.extend([0_u32, 0, 65_535, 1].map(u32::to_le_bytes).concat());
        Self(bytes)
    }

    /// A packet of a protocol with a header that begins with ports.
    fn packet(&mut self, millis: i64, (from, from_port): End, (to, to_port): End, protocol: u8, rest: &[u8]) {
        let length = u16::try_from(20 + 4 + rest.len()).unwrap();
        let mut packet =
            [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &[0x45, 0], &length.to_be_bytes()].concat();
        packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
        packet.extend([from.octets(), to.octets()].concat());
        packet.extend([from_port, to_port].map(u16::to_be_bytes).concat());
        packet.extend(rest);
        let (seconds, micros) = (millis.div_euclid(1000), millis.rem_euclid(1000) * 1000);
        let size = i64::try_from(packet.len()).unwrap();
        let head = [seconds, micros, size, size].map(|number| u32::try_from(number).unwrap().to_le_bytes());
        self.0.extend(head.concat());
        self.0.extend(packet);
    }

    fn tcp(&mut self, millis: i64, from: End, to: End, flags: u8) {
        self.packet(millis, from, to, 6, &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    }

    /// A connection from its first packet to its last.
    fn connection(&mut self, millis: i64, from: End, to: End) {
        for (number, (is_answer, flags)) in (0..).zip([
            (false, SYN),
            (true, SYN_ACK),
            (false, ACK),
            (true, ACK),
            (false, FIN),
            (true, FIN),
            (false, ACK),
        ]) {
            let (from, to) = if is_answer { (to, from) } else { (from, to) };
            self.tcp(millis + number * 20, from, to, flags);
        }
    }
}

fn device(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0001 + number)
}

fn remote(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0xc633_6400 + number)
}

/// Connections of 25 devices to 20 servers, all that is to be counted, among others that are not.
fn capture() -> (Capture, Model) {
    let (mut capture, mut model) = (Capture::new(), Model::default());
    for number in 0..400_u16 {
        let at = BEGIN_MILLIS + i64::from(number) * 1000;
        let (own, other) = (device(u32::from(number) % 25), remote(u32::from(number) % 20));
        let high = 40_000 + number;
        capture.connection(at, (own, high), (other, 443));
        let counted: Connection = (own.to_string(), IpAddr::V4(other), at.div_euclid(1000));
        model.connections.push(counted);
        // Opened by the other side; without an answer.
        capture.connection(at + 200, (other, high), (own, 22));
        capture.tcp(at + 400, (own, high), (remote(100), 443), SYN);
    }
    (capture, model)
}

/// Lets softflowd export what was captured; the answers are those that the capture's own account gives, up to as many
/// seconds as this version is in error about when a flow began.
fn exported(arguments: &[&str], seconds_off: i64) {
    let peer = peer::place("netflow");
    let post = Post::new("netflow", &["udp"], "");
    let service = post.serve();
    let (capture, model) = capture();
    let file = post.site.place.path("packets.pcap");
    fs::write(&file, capture.0).unwrap();
    export(&peer, &post, &file, arguments);
    let early = |(device, ip, at): &Connection| (device.clone(), *ip, at - seconds_off);
    let model = Model { connections: model.connections.iter().map(early).collect() };
    post.settle(&service, &model);
    assert_eq!(post.site.answers(&service, &[remote(100).into()]), [Answer::NotFound]);
    assert_eq!(service.stop().status.code(), Some(0));
    assert_eq!(post.stored(&model), expected(&model, &model.ips().into_iter().collect::<Vec<_>>()));
}

fn export(peer: &Path, post: &Post, file: &Path, arguments: &[&str]) {
    // -a: it is as late as the capture says. Without a socket for its control it ends when the capture does.
    let mut command = Command::new("timeout");
    command.env("LD_LIBRARY_PATH", peer::library_path(peer)).arg(EXPORT_SECONDS_MAX.to_string());
    command.arg(peer.join("usr/sbin/softflowd")).arg("-r").arg(file);
    command.args(["-a", "-d", "-c", "none", "-n", &format!("127.0.0.1:{}", post.port)]).args(arguments);
    command.arg("-p").arg(file.with_extension("pid"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "needs .ci/peers/netflow.sh"]
fn softflowd_exports_version_5() {
    exported(&["-v", "5"], 0);
}

#[test]
#[ignore = "needs .ci/peers/netflow.sh"]
fn softflowd_exports_version_9() {
    // Its header has whole seconds only: what is left of the second of the export is missing in all times.
    exported(&["-v", "9"], 1);
}

#[test]
#[ignore = "needs .ci/peers/netflow.sh"]
fn softflowd_exports_ipfix() {
    exported(&["-v", "10"], 0);
}

#[test]
#[ignore = "needs .ci/peers/netflow.sh"]
fn softflowd_exports_ipfix_of_both_directions() {
    exported(&["-v", "10", "-b", "-A", "milli"], 0);
}
