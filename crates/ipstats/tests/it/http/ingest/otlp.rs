//! `POST /v1/logs`: requests as SDKs and collectors of OpenTelemetry send them.

use super::*;
use crate::otlp_request::binary_texts;

impl TestApp {
    async fn post_otlp(&self, media_type: &str, authorization: &str, body: impl Into<Body>) -> Answer {
        let request = get("/v1/logs").method(Method::POST).header("Authorization", authorization);
        self.send(request.header("Content-Type", media_type).body(body.into()).unwrap()).await
    }
}

fn logs(bodies: &[Value]) -> String {
    let records: Vec<_> = bodies.iter().map(|body| json!({ "timeUnixNano": "1", "body": body })).collect();
    let host = json!({ "key": "host.name", "value": { "stringValue": "collector" } });
    json!({ "resourceLogs": [{ "resource": { "attributes": [host] }, "scopeLogs": [{ "scope": {}, "logRecords": records }] }] })
        .to_string()
}

#[tokio::test]
async fn texts_and_maps_are_records() {
    let app = TestApp::new();
    let text = json!({ "stringValue": connection("a") });
    let entry = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let map = json!({ "kvlistValue": { "values": [
        entry("device", "b"),
        entry("ip", "10.209.67.177"),
        { "key": "time", "value": { "intValue": "1504011600" } },
    ] } });
    for _ in 0..2 {
        let answer = app
            .post_otlp("application/json; charset=utf-8", &bearer(0), logs(&[text.clone(), map.clone()]))
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "{}"));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(app.prevalence().await, 2);
    }
}

#[tokio::test]
async fn protobuf_is_answered_in_protobuf() {
    let app = TestApp::new();
    let (a, b) = (connection("a"), connection("b"));
    let answer =
        app.post_otlp("application/x-protobuf", &bearer(0), binary_texts([a.as_bytes(), b.as_bytes()])).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    assert_eq!(app.prevalence().await, 2);

    let answer = app.post_otlp("application/x-protobuf", &bearer(0), "nonsense").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::BAD_REQUEST, "application/x-protobuf")
    );
    assert!(answer.text.contains("ExportLogsServiceRequest"), "{:?}", answer.text);
}

#[tokio::test]
async fn what_is_malformed_is_a_partial_success() {
    let app = TestApp::new();
    let bad = json!({ "stringValue": "{\"device\":\"x\"" });
    let answer = app
        .post_otlp("application/json", &bearer(0), logs(&[bad, json!({ "stringValue": connection("a") })]))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "1");
    assert!(
        answer.json()["partialSuccess"]["errorMessage"].as_str().unwrap().contains("cut off"),
        "{}",
        answer.text
    );
    assert_eq!(app.prevalence().await, 1);

    let (good, bad) = (connection("b"), b"{\"device\":\"\xff\xfe\"}");
    let answer =
        app.post_otlp("application/x-protobuf", &bearer(0), binary_texts([bad, good.as_bytes()])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("not UTF-8"), "{:?}", answer.text);
    assert_eq!(app.prevalence().await, 2);
}

#[tokio::test]
async fn failures_are_statuses_of_grpc() {
    let app = TestApp::new();
    let good = logs(&[json!({ "stringValue": connection("a") })]);
    let answer = app.post_otlp("application/json", "Bearer x", good.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (401, Some(16)));
    assert_eq!(app.post_otlp("text/plain", &bearer(0), good).await.status.as_u16(), 415);
    let bare =
        |request: axum::http::request::Builder| request.method(Method::POST).body(Body::from("{}")).unwrap();
    let answer = app.send(bare(get("/v1/logs"))).await;
    assert_eq!(answer.status.as_u16(), 401, "who asks is seen before how: {}", answer.text);
    let answer = app.send(bare(get("/v1/logs").header("Authorization", bearer(0)))).await;
    assert_eq!(answer.status.as_u16(), 415);
    assert!(answer.text.contains("content type (none)"), "{}", answer.text);
    let answer = app.post_otlp("application/json", &bearer(0), "{").await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (400, Some(3)));
    assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "nothing was recorded");
}
