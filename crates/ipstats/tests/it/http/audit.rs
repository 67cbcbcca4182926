//! The audit log: a line for each decision, whatever it was, and never a secret.

use super::*;
use std::path::PathBuf;
use std::time::Duration;

struct Audited {
    app: TestApp,
    file: PathBuf,
}

impl Audited {
    fn new() -> Self {
        let connections = [("laptop", "10.209.67.177", NOW)];
        let app = TestApp::with("audit_log = 'audit.log'\nrate_limits = ['5 per 00:01:00']", &connections);
        let file = app.config.data_dir.with_file_name("audit.log");
        Self { app, file }
    }

    /// The lines, when there are `count` of them, and their text.
    async fn lines(&self, count: usize) -> (Vec<Value>, String) {
        for _ in 0..500 {
            let text = fs::read_to_string(&self.file).unwrap();
            if text.lines().count() >= count {
                let lines: Vec<Value> =
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(lines.len(), count, "{text}");
                return (lines, text);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} lines were not written within 5 s");
    }
}

/// A line without what differs from run to run.
fn stable(line: &Value) -> String {
    let text = |name: &str| line[name].to_string().replace('"', "");
    assert!(line["micros"].is_u64() && line["time"] == "2026-11-23T12:00:00.000Z", "{line}");
    ["operation", "organization", "application", "ip", "lookBackHours", "status", "code"].map(text).join(" ")
}

#[tokio::test]
async fn every_decision_has_a_line() {
    let audited = Audited::new();
    let (app, path) = (&audited.app, "/api/ips/10.209.67.177/stats");
    assert_eq!(app.get(&format!("{path}?lookBackHours=48")).await.status, StatusCode::OK);
    assert_eq!(app.get("/api/ips/::ffff:10.9.9.9/stats").await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/api/ips/10.9.9.0%2F24/stats").await.status, StatusCode::BAD_REQUEST);
    let forbidden = app.get_as(&app.token(STRANGER), path).await;
    assert_eq!(app.get_as("nonsense", path).await.status, StatusCode::UNAUTHORIZED);
    for status in [200, 200, 429] {
        assert_eq!(app.get(path).await.status.as_u16(), status);
    }
    // Nothing is decided here.
    assert_eq!(app.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(app.get("/api/$metadata").await.status, StatusCode::OK);

    let (lines, text) = audited.lines(8).await;
    let reader = format!("ip_stats {CONTOSO} {READER}");
    let expected = [
        format!("{reader} 10.209.67.177 48 200 null"),
        format!("{reader} 10.9.9.9 720 404 ResourceNotFound"),
        format!("{reader} 10.9.9.0/24 null 400 InvalidIpAddress"),
        format!("ip_stats {CONTOSO} {STRANGER} 10.209.67.177 null 403 Forbidden"),
        "ip_stats null null 10.209.67.177 null 401 Unauthorized".to_owned(),
        format!("{reader} 10.209.67.177 720 200 null"),
        format!("{reader} 10.209.67.177 720 200 null"),
        format!("{reader} 10.209.67.177 null 429 TooManyRequests"),
    ];
    assert_eq!(lines.iter().map(stable).collect::<Vec<_>>(), expected);
    assert_eq!(lines[3]["target"], forbidden.json()["error"]["target"]);
    for secret in [app.token(READER), app.token(STRANGER), "nonsense".to_owned()] {
        assert!(!text.contains(&secret));
    }
}

#[tokio::test]
async fn logs_and_tokens_are_decisions_too() {
    let audited = Audited::new();
    let post = |path: &str, key: &str, body: &str| {
        let request = Request::post(path).header("Authorization", format!("Bearer {key}"));
        request.body(Body::from(body.to_owned())).unwrap()
    };
    let key = KEYS[0].reveal().to_owned();
    audited.app.send(post("/api/ingest/nothing", &key, "")).await;
    audited.app.send(post("/api/ingest/zeek", "ipstats_wrong", "")).await;
    let form =
        format!("grant_type=client_credentials&client_id={READER}&client_secret=wrong&resource={AUDIENCE}");
    let request = Request::post("/contoso/oauth2/token").body(Body::from(form)).unwrap();
    audited.app.send(request).await;
    let (lines, text) = audited.lines(3).await;
    let expected = [
        format!("ingest {CONTOSO} contoso zeek null null 400 BadRequest"),
        "ingest null null null null 401 Unauthorized".to_owned(),
        format!("token {CONTOSO} {READER} null null 401 invalid_client"),
    ];
    assert_eq!(lines.iter().map(stable).collect::<Vec<_>>(), expected);
    assert!(!text.contains(&key) && !text.contains("wrong"), "{text}");
}

#[tokio::test]
async fn other_operations_of_defender_are_audited() {
    let audited = Audited::new();
    assert_eq!(audited.app.get("/api/alerts").await.status, StatusCode::NOT_IMPLEMENTED);
    assert_eq!(audited.app.get_as("nonsense", "/api/machines").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(audited.app.get("/api/ips/8.8.8.8/32/stats").await.status, StatusCode::BAD_REQUEST);
    let (lines, _) = audited.lines(3).await;
    let expected = [
        format!("not_implemented {CONTOSO} {READER} null null 501 NotImplemented"),
        "not_implemented null null null null 401 Unauthorized".to_owned(),
        format!("ip_stats {CONTOSO} {READER} 8.8.8.8/32 null 400 InvalidIpAddress"),
    ];
    assert_eq!(lines.iter().map(stable).collect::<Vec<_>>(), expected);
}
