//! A log of Suricata's `netflow`, which shows each direction of a flow by itself, and the connections that are in it.

use crate::cli::model::{Model, rfc3339};
use crate::site::{NOW, Site, expected};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

/// A log, and the connections in it.
#[derive(Default)]
pub(crate) struct NetflowLog {
    pub(crate) records: Vec<String>,
    /// For each record, how many connections it and those before it open.
    pub(crate) opened: Vec<usize>,
    pub(crate) model: Model,
}

/// The half of flow `number` from `source` to `destination`, which was written in this microsecond.
fn half(number: u32, [source, destination]: [IpAddr; 2], micros: u32) -> String {
    let start = rfc3339(start(number)).replace('Z', ".000000+0000");
    json!({
        "timestamp": format!("2017-08-29T13:32:59.{micros:06}+0000"), "event_type": "netflow",
        "flow_id": 1000 + number, "src_ip": source, "dest_ip": destination, "proto": "UDP",
        "netflow": { "pkts": 3, "start": start },
    })
    .to_string()
}

fn start(number: u32) -> i64 {
    NOW - 3600 - i64::from(number) * 11
}

/// A device and what it opens a connection to: devices too, so that each half by itself looks like a connection.
fn ends(number: u32) -> [IpAddr; 2] {
    [Ipv4Addr::from(0x0a00_0001 + number % 7).into(), Ipv4Addr::from(0x0a00_0001 + number * 5 % 23).into()]
}

impl NetflowLog {
    /// Flows of which every seventh got no answer. Some answers are a few records behind their opening.
    pub(crate) fn new(flows: u32) -> Self {
        let (mut log, mut answers) = (Self::default(), Vec::new());
        for number in 0..flows {
            let [device, ip] = ends(number);
            if device == ip {
                continue;
            }
            log.model.connections.push((device.to_string(), ip, start(number)));
            log.push(half(number, [device, ip], 2 * number));
            if number % 7 != 0 {
                answers.push(half(number, [ip, device], 2 * number + 1));
            }
            let behind = [0, 3, 1][number as usize % 3];
            let due = answers.len().saturating_sub(behind);
            answers.drain(..due).for_each(|answer| log.push(answer));
        }
        answers.into_iter().for_each(|answer| log.push(answer));
        log
    }

    fn push(&mut self, record: String) {
        self.records.push(record);
        self.opened.push(self.model.connections.len());
    }

    /// The connections in the first records.
    pub(crate) fn model_after(&self, records: usize) -> Model {
        let opened = records.checked_sub(1).map_or(0, |last| self.opened[last]);
        Model { connections: self.model.connections[..opened].to_vec() }
    }

    /// Pieces of one to three records.
    pub(crate) fn pieces(&self) -> Vec<String> {
        let (mut pieces, mut rest) = (Vec::new(), self.records.as_slice());
        while let Some((piece, others)) = rest.split_at_checked(1 + rest.len() % 3) {
            pieces.push(piece.join("\n"));
            rest = others;
        }
        pieces.extend(rest.iter().cloned());
        pieces
    }

    /// A site that got all of it must answer what one answers that imported it at once.
    pub(crate) fn check(&self, site: &Site) {
        let ips: Vec<IpAddr> = (0..32).map(|n| Ipv4Addr::from(0x0a00_0000 + n).into()).collect();
        let clean = Site::new();
        let done = clean.import(&clean.place.file("eve.json", self.records.join("\n")));
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_eq!(clean.stored(&ips), expected(&self.model, &ips));
        assert_eq!(site.stored(&ips), expected(&self.model, &ips));
    }
}
