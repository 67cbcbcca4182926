//! `/services/collector…`: requests as clients of Splunk's collector send them.

use super::*;

const EVENTS: &str = "/services/collector/event";

fn splunk(key: usize) -> String {
    format!("Splunk {}", KEYS[key].reveal())
}

fn event(record: &Value) -> String {
    json!({ "time": 1_504_011_600.25, "host": "forwarder", "sourcetype": "bro:json", "event": record })
        .to_string()
}

fn object(device: &str) -> Value {
    serde_json::from_str(&connection(device)).unwrap()
}

fn code(answer: &Answer) -> (u16, u64) {
    (answer.status.as_u16(), answer.json()["code"].as_u64().unwrap())
}

#[tokio::test]
async fn events_are_objects_or_texts_one_behind_the_other() {
    let (a, b, c) = (event(&object("a")), event(&json!(connection("b"))), event(&json!("just a text")));
    let pretty = serde_json::to_string_pretty(&json!({ "event": object("d") })).unwrap();
    for body in [
        format!("{a}{b}{c}{pretty}"),
        format!("{a}\r\n{b}\n\n{c} {pretty}\n"),
        format!("[{a},{b} , {c},{pretty}]"),
    ] {
        for path in
            ["/services/collector", "/services/collector/1.0", EVENTS, "/services/collector/event/1.0"]
        {
            let app = TestApp::new();
            for _ in 0..2 {
                let answer = app.post(path, &splunk(0), "", body.clone()).await;
                assert_eq!(
                    (answer.status, answer.text.as_str()),
                    (StatusCode::OK, r#"{"text":"Success","code":0}"#)
                );
                assert_eq!(app.prevalence().await, 3, "{path}: {body}");
            }
        }
    }
    let app = TestApp::new();
    assert_eq!(code(&app.post(EVENTS, &splunk(0), "gzip", gzip(a.as_bytes())).await), (200, 0));
    assert_eq!(app.prevalence().await, 1);
}

#[tokio::test]
async fn raw_is_a_log_as_it_is() {
    let app = TestApp::new();
    let answer = app.post("/services/collector/raw?sourcetype=x", &splunk(0), "", LOG).await;
    assert_eq!((code(&answer), app.prevalence().await), ((200, 0), json!(2)));
    assert_eq!(code(&app.post("/services/collector/raw/1.0", &splunk(0), "", "").await), (400, 5));
}

#[tokio::test]
async fn failures_have_the_numbers_of_splunk() {
    let app = TestApp::new();
    let good = event(&object("a"));
    for (authorization, expected) in [
        ("", (401, 2)),
        ("Splunk", (401, 3)),
        ("ApiKey x", (401, 3)),
        ("Splunk nothing", (403, 4)),
        (&format!("Splunk {}", IngestKey::generate().unwrap().reveal()), (403, 4)),
    ] {
        assert_eq!(
            code(&app.post(EVENTS, authorization, "", good.clone()).await),
            expected,
            "{authorization}"
        );
    }
    assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "nothing was recorded");
    for (body, expected, number) in [
        ("  \n".to_owned(), (400, 5), None),
        (format!("{good}{{\"event\":"), (400, 6), Some(1)),
        (format!("{good}{good}nonsense"), (400, 6), Some(2)),
        (format!("{good}{{\"host\":\"x\"}}"), (400, 12), Some(1)),
        (format!("{good}{{\"event\":null}}"), (400, 12), Some(1)),
        (format!("{good}{{\"event\":\"  \"}}"), (400, 13), Some(1)),
    ] {
        let app = TestApp::new();
        let answer = app.post(EVENTS, &splunk(0), "", body.clone()).await;
        assert_eq!(code(&answer), expected, "{body}");
        assert_eq!(answer.json()["invalid-event-number"].as_u64(), number, "{body}");
        if number.is_some() {
            assert_eq!(app.prevalence().await, 1, "what came before is kept");
        }
    }
    // Many clients give up all of a request that is refused: what is behind an event without content is kept, too.
    let app = TestApp::new();
    let body =
        format!("{good}{{\"event\":\"\"}}{}{{\"host\":\"x\"}}{}", event(&object("b")), event(&object("c")));
    let answer = app.post(EVENTS, &splunk(0), "", body).await;
    assert_eq!((code(&answer), answer.json()["invalid-event-number"].as_u64()), ((400, 13), Some(1)));
    assert_eq!(app.prevalence().await, 3);
}

#[tokio::test]
async fn what_was_acknowledged_is_and_nothing_else() {
    let app = TestApp::new();
    let path = format!("{EVENTS}?channel=fe0ecfad-13d5-401b-847d-77833bd77131");
    for number in 0..3 {
        let answer = app.post(&path, &splunk(0), "", event(&object("a"))).await;
        assert_eq!(answer.json(), json!({ "text": "Success", "code": 0, "ackId": number }));
    }
    let question = r#"{"acks":[0,2,3]}"#;
    let path = "/services/collector/ack?channel=fe0ecfad-13d5-401b-847d-77833bd77131";
    let answer = app.post(path, &splunk(0), "", question).await;
    assert_eq!(answer.json(), json!({ "acks": { "0": true, "2": true, "3": false } }));
    assert_eq!(code(&app.post("/services/collector/ack", &splunk(0), "", question).await), (400, 10));
    assert_eq!(code(&app.post(path, &splunk(0), "", "[]").await), (400, 6));
    assert_eq!(code(&app.post(path, "", "", question).await), (401, 2));
}

#[tokio::test]
async fn its_health_is_that_of_the_service() {
    let app = TestApp::new();
    for path in ["/services/collector/health", "/services/collector/health/1.0"] {
        assert_eq!(code(&app.send(get(path).body(Body::empty()).unwrap()).await), (200, 17));
    }
}
