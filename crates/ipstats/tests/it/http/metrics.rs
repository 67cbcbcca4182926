//! The page of metrics, as Prometheus' own parser reads it.

use super::*;
use crate::peer;
use ipstats::http::operator_router;
use ipstats::sources::Board;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const IP: &str = "/api/ips/10.209.67.177/stats";

/// What happened before the page is fetched.
async fn busy_service() -> TestApp {
    let settings = "audit_log = 'audit.log'\nrate_limits = ['3 per 00:01:00']";
    let app = TestApp::with(settings, &[("laptop", "10.209.67.177", NOW)]);
    for status in [200, 200, 200, 429, 429] {
        assert_eq!(app.get(IP).await.status.as_u16(), status);
    }
    assert_eq!(app.get_as("nonsense", IP).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get_as("nonsense", "/secret/path").await.status, StatusCode::NOT_FOUND);
    let log = format!(r#"{{"ip":"10.0.0.1","device":"laptop","time":"{NOW}"}}"#) + "\nnonsense\n";
    let request =
        Request::post("/api/ingest/ndjson").header("Authorization", format!("Bearer {}", KEYS[0].reveal()));
    assert_eq!(app.send(request.body(Body::from(log)).unwrap()).await.status, StatusCode::OK);
    app
}

async fn page(app: &TestApp) -> Answer {
    let response = operator_router(&app.app, Board::default())
        .oneshot(get("/metrics").body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

fn lines_with(text: &str, name: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn the_page_counts_what_happened() {
    let answer = page(&busy_service().await).await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(
        lines_with(&answer.text, "ipstats_http_requests_total"),
        [
            r#"ipstats_http_requests_total{operation="ingest",status="200"} 1"#,
            r#"ipstats_http_requests_total{operation="ip_stats",status="200"} 3"#,
            r#"ipstats_http_requests_total{operation="ip_stats",status="401"} 1"#,
            r#"ipstats_http_requests_total{operation="ip_stats",status="429"} 2"#,
            r#"ipstats_http_requests_total{operation="unknown",status="404"} 1"#,
        ]
    );
    let limited = format!("ipstats_rate_limited_calls_total{{organization=\"{CONTOSO}\"}} 2");
    for line in [
        limited.as_str(),
        r#"ipstats_http_request_duration_seconds_count{operation="ip_stats"} 6"#,
        r#"ipstats_ingest_records_total{outcome="counted"} 1"#,
        r#"ipstats_ingest_records_total{outcome="malformed"} 1"#,
        r#"ipstats_auth_tokens_total{result="verified"} 5"#,
        r#"ipstats_auth_tokens_total{result="remembered"} 0"#,
        r#"ipstats_auth_tokens_total{result="malformed"} 1"#,
        "ipstats_rate_limit_callers 1",
        "ipstats_store_accepting 1",
        "ipstats_audit_lines_lost_total 0",
        concat!(r#"ipstats_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
    ] {
        assert!(answer.text.lines().any(|found| found == line), "{line} in {}", answer.text);
    }
    for never in ["10.209.67.177", "secret", "nonsense", READER] {
        assert!(!answer.text.contains(never), "{never} in {}", answer.text);
    }
}

#[tokio::test]
#[ignore = "needs .ci/peers/metrics.sh"]
async fn prometheus_reads_the_page() {
    let place = peer::installed("metrics", "check.py");
    let text = page(&busy_service().await).await.text;
    let mut parser = Command::new(place.join("venv/bin/python"))
        .arg(place.join("check.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let samples: Vec<(String, BTreeMap<String, String>, f64)> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let value = |name: &str, label: Option<(&str, &str)>| {
        let is_it = |labels: &BTreeMap<String, String>| {
            label.is_none_or(|(name, value)| labels.get(name).is_some_and(|found| found == value))
        };
        samples
            .iter()
            .filter(|(found, labels, _)| found == name && is_it(labels))
            .map(|(.., value)| value)
            .sum::<f64>()
    };
    assert!((value("ipstats_http_requests_total", Some(("operation", "ip_stats"))) - 6.0).abs() < 0.5);
    assert!((value("ipstats_http_request_duration_seconds_bucket", Some(("le", "+Inf"))) - 8.0).abs() < 0.5);
    assert!(value("process_start_time_seconds", None) > 1.7e9);
    assert!(value("process_resident_memory_bytes", None) > 1e6);
    assert!(value("ipstats_store_disk_bytes", None) > 0.0);
}

#[tokio::test]
async fn sources_are_shown_to_this_machine_only() {
    let app = TestApp::new();
    let operator = operator_router(&app.app, Board::default());
    for (peer, status) in [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 403)] {
        let entrance = operator.of_peer(peer.parse().unwrap());
        let request = get("/sources").header("Host", "x").body(Body::empty()).unwrap();
        assert_eq!(entrance.oneshot(request).await.unwrap().status(), status, "{peer}");
    }
}

/// Whoever reaches the address of the operator without a token could fill the memory otherwise.
#[tokio::test]
async fn pieces_that_come_over_tcp_are_refused_before_anything_of_them_is_read() {
    let app = TestApp::new();
    let entrance = operator_router(&app.app, Board::default()).of_peer("127.0.0.1".parse().unwrap());
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = Request::post("/pieces").header("Host", "x").body(endless).unwrap();
    let answer = tokio::time::timeout(Duration::from_mins(5), entrance.oneshot(request)).await;
    assert_eq!(answer.expect("it does not wait for the body").unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn metrics_are_on_their_own_listener_only() {
    let app = TestApp::new();
    assert_eq!(app.get("/metrics").await.status, StatusCode::NOT_FOUND);
    let response = operator_router(&app.app, Board::default())
        .oneshot(get(IP).body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
