//! NetFlow and IPFIX: datagrams of several exporters and versions at one port.

use super::Post;
use crate::cli::model::{Connection, Model};
use crate::site::{NOW, expected};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// A connection of a device of 10.0.0.0/8 to port 443, and when it began.
fn connection(number: u32) -> Connection {
    let device = Ipv4Addr::from(0x0a00_0000 + number % 40);
    (device.to_string(), IpAddr::from([198, 51, 100, (number % 20) as u8]), NOW - i64::from(number))
}

fn model(numbers: impl Iterator<Item = u32>) -> Model {
    Model { connections: numbers.map(connection).collect() }
}

fn ends(number: u32) -> Vec<u8> {
    let (device, ip, _) = connection(number);
    let (device, IpAddr::V4(ip)) = (device.parse::<Ipv4Addr>().unwrap(), ip) else { panic!("IPv4") };
    [device.octets(), ip.octets()].concat()
}

fn seconds(number: u32) -> u32 {
    u32::try_from(connection(number).2).unwrap()
}

/// A datagram of version 5 with one flow, which began when it was sent.
fn v5(number: u32) -> Vec<u8> {
    let mut datagram = [5_u16, 1].map(u16::to_be_bytes).concat();
    datagram.extend([1000, seconds(number), 0, 1, 0].map(u32::to_be_bytes).concat());
    datagram.extend(ends(number));
    datagram.extend([0_u32, 0, 1, 40, 1000, 1000].map(u32::to_be_bytes).concat());
    datagram.extend([50_000_u16, 443].map(u16::to_be_bytes).concat());
    datagram.extend([0, 0x1b, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
    datagram
}

/// Addresses, ports, protocol, and flowStartSeconds.
const FIELDS: [u16; 12] = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 150, 4];

fn set(id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 4).unwrap();
    [&id.to_be_bytes(), &length.to_be_bytes(), content].concat()
}

fn template(set_id: u16) -> Vec<u8> {
    set(
        set_id,
        &[&[300_u16, 6][..], &FIELDS].concat().into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>(),
    )
}

fn data(number: u32) -> Vec<u8> {
    let ports = [50_000_u16, 443].map(u16::to_be_bytes).concat();
    set(300, &[&ends(number)[..], &ports, &[6], &seconds(number).to_be_bytes()].concat())
}

fn v9(set: &[u8]) -> Vec<u8> {
    let header = [1000, u32::try_from(NOW).unwrap(), 1, 77].map(u32::to_be_bytes).concat();
    [&[0, 9, 0, 1][..], &header, set].concat()
}

fn ipfix(set: &[u8]) -> Vec<u8> {
    let length = u16::try_from(set.len() + 16).unwrap();
    let header = [u32::try_from(NOW).unwrap(), 1, 77].map(u32::to_be_bytes).concat();
    [&[0, 10][..], &length.to_be_bytes(), &header, set].concat()
}

#[test]
fn exporters_of_all_versions_send_to_one_port() {
    let post = Post::new("netflow", &["udp"], "");
    let service = post.serve();
    let exporter = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(post.address()).unwrap();
        socket
    };
    let (old, nine, ten, other) = (exporter(), exporter(), exporter(), exporter());
    // Nothing is known of what comes before its template, or of the templates of another exporter.
    for datagram in [v9(&data(900)), v9(&template(0))] {
        nine.send(&datagram).unwrap();
    }
    ten.send(&ipfix(&template(2))).unwrap();
    other.send(&ipfix(&data(901))).unwrap();
    other.send(b"no datagram of flows").unwrap();
    for number in (0..300).step_by(3) {
        old.send(&v5(number)).unwrap();
        nine.send(&v9(&data(number + 1))).unwrap();
        ten.send(&ipfix(&data(number + 2))).unwrap();
    }
    post.settle(&service, &model(0..300));
    // What has arrived when the service ends is kept.
    (300..350).for_each(|number| assert!(ten.send(&ipfix(&data(number))).is_ok()));
    assert_eq!(service.stop().status.code(), Some(0));
    let all = model(0..350);
    assert_eq!(post.stored(&all), expected(&all, &all.ips().into_iter().collect::<Vec<_>>()));
}

#[test]
fn whose_networks_are_internal_decides_who_the_device_is() {
    let post = Post::new("netflow", &["udp"], "internal_networks = ['192.0.2.0/24']\nsite = 'hq'\n");
    let service = post.serve();
    let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
    exporter.connect(post.address()).unwrap();
    // Both ends are others'.
    exporter.send(&v5(0)).unwrap();
    let mut own = v5(1);
    own[24..28].copy_from_slice(&[192, 0, 2, 7]);
    exporter.send(&own).unwrap();
    let (_, ip, at) = connection(1);
    post.settle(&service, &Model { connections: vec![("hq/192.0.2.7".to_owned(), ip, at)] });
    let nothing = post.site.answers(&service, &[connection(0).1]);
    assert_eq!(nothing, [crate::cli::model::Answer::NotFound]);
    assert_eq!(service.stop().status.code(), Some(0));
}
