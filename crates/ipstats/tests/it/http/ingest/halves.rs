//! Flows whose two halves are records of their own (Suricata's `netflow`), torn apart by the requests that bring them: the
//! second half is known by the first, whichever protocol and request brought that.

use super::*;

/// A device, and what it connects to: a device too, so that each half of a flow looks like a connection.
const ENDS: [&str; 2] = ["10.209.67.1", "10.209.67.177"];

/// The half of flow `id` from `source` to `destination`, written in this microsecond.
fn half(id: u64, [source, destination]: [&str; 2], micros: u32) -> String {
    json!({
        "timestamp": format!("2017-08-29T13:00:01.{micros:06}+0000"), "event_type": "netflow", "flow_id": id,
        "src_ip": source, "dest_ip": destination, "proto": "UDP",
        "netflow": { "pkts": 3, "start": "2017-08-29T13:00:00.000000+0000" },
    })
    .to_string()
}

fn there(id: u64) -> String {
    half(id, ENDS, 10)
}

fn back(id: u64) -> String {
    half(id, [ENDS[1], ENDS[0]], 20)
}

impl TestApp {
    /// Sends a record the way `protocol` does.
    async fn post_half(&self, protocol: &str, key: usize, record: &str) {
        let (path, body) = match protocol {
            "bulk" => ("/elastic/_bulk", format!("{{\"create\":{{}}}}\n{record}\n")),
            "hec" => ("/services/collector/event", json!({ "event": record }).to_string()),
            plain => (plain, record.to_owned()),
        };
        let answer = self.post(path, &bearer(key), "", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{protocol}: {}", answer.text);
    }

    /// Devices that opened a connection to each end.
    async fn to_ends(&self) -> [u64; 2] {
        let mut devices = [0; 2];
        for (devices, ip) in devices.iter_mut().zip(ENDS) {
            let answer = self.get(&format!("/api/ips/{ip}/stats")).await;
            *devices = match answer.status {
                StatusCode::NOT_FOUND => 0,
                _ => answer.json()["organizationPrevalence"].as_u64().unwrap(),
            };
        }
        devices
    }
}

#[tokio::test]
async fn the_second_half_may_come_in_another_request_and_again() {
    for protocol in ["/api/ingest/suricata", "/api/ingest/auto", "/services/collector/raw", "bulk", "hec"] {
        let app = TestApp::new();
        for record in [there(1), back(1), back(1), there(1), back(1)] {
            app.post_half(protocol, 0, &record).await;
            assert_eq!(app.to_ends().await, [0, 1], "{protocol}");
        }
        // Whatever the next request is.
        app.post_half("bulk", 0, &back(1)).await;
        app.post_half("/api/ingest/suricata", 0, &back(1)).await;
        assert_eq!(app.to_ends().await, [0, 1], "{protocol}");
    }
}

#[tokio::test]
async fn a_request_that_is_overtaken_loses_no_connection() {
    let app = TestApp::new();
    app.post_half("/api/ingest/suricata", 0, &back(1)).await;
    assert_eq!(app.to_ends().await, [1, 0], "nothing says that it is an answer");
    app.post_half("/api/ingest/suricata", 0, &there(1)).await;
    assert_eq!(app.to_ends().await, [1, 1]);
}

#[tokio::test]
async fn each_key_has_flows_of_its_own() {
    let app = TestApp::new();
    app.post_half("/api/ingest/suricata", 1, &there(1)).await;
    app.post_half("/api/ingest/suricata", 0, &back(1)).await;
    assert_eq!(app.to_ends().await[0], 1, "the half of another organization says nothing");
}
