//! Bodies that mean harm: a clear outcome, and never more memory than the limits say.

use super::*;
use axum::body::Bytes;
use http_body_util::channel::Channel;
use std::time::Duration;

/// Where a body can be sent, and what surrounds a record there.
const PLACES: [(&str, &str, &str); 4] = [
    ("/api/ingest/ndjson", "", "\n"),
    ("/elastic/_bulk", "{\"create\":{}}\n", "\n"),
    ("/services/collector", "{\"event\":", "}"),
    ("/v1/logs", "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":", "}]}]}]}"),
];

impl TestApp {
    async fn post_json(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = get(path).method(Method::POST).header("Authorization", bearer(0));
        self.send(request.header("Content-Type", "application/json").body(body.into()).unwrap()).await
    }
}

#[tokio::test]
async fn strange_records_cost_nothing_but_themselves() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let in_device = |text: &str| {
        format!("{{\"device\":{text},\"ip\":\"10.209.67.177\",\"time\":\"2017-08-29T13:00:00Z\"}}")
    };
    for strange in [
        deep,
        deep_objects,
        in_device("NaN"),
        in_device("\"\\ud800\""),
        in_device("1e999"),
        in_device("\"\""),
    ] {
        for (path, before, after) in PLACES {
            let app = TestApp::new();
            let answer = app.post_json(path, format!("{before}{strange}{after}")).await;
            assert!([200, 400].contains(&answer.status.as_u16()), "{path}: {:.60}: {}", strange, answer.text);
            assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "{path}: {strange:.60}");
            let good = if path == "/v1/logs" {
                json!({ "stringValue": connection("a") }).to_string()
            } else {
                connection("a")
            };
            assert_eq!(
                app.post_json(path, format!("{before}{good}{after}")).await.status,
                StatusCode::OK,
                "{path}"
            );
            assert_eq!(app.prevalence().await, 1, "{path} still works");
        }
    }
}

#[tokio::test]
async fn invalid_utf8_is_malformed() {
    let bytes = b"{\"device\":\"\xff\",\"ip\":\"10.209.67.177\",\"time\":1504011600}";
    for (path, before, after) in PLACES {
        let app = TestApp::new();
        let answer = app.post_json(path, [before.as_bytes(), bytes, after.as_bytes()].concat()).await;
        assert!([200, 400].contains(&answer.status.as_u16()), "{path}: {}", answer.text);
        assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// Sends `megabytes` of `chunk`, between `before` and `after`.
async fn post_long(
    app: &Arc<TestApp>,
    path: &'static str,
    before: &'static str,
    megabytes: usize,
    after: &'static str,
) -> Answer {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    let app = Arc::clone(app);
    let answer = tokio::spawn(async move { app.post_json(path, Body::new(body)).await });
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let chunks = (0..megabytes).map(|_| chunk.clone());
    for part in [Bytes::from_static(before.as_bytes())]
        .into_iter()
        .chain(chunks)
        .chain([Bytes::from_static(after.as_bytes())])
    {
        // It may be refused before its end.
        if sender.send_data(part).await.is_err() {
            break;
        }
    }
    drop(sender);
    tokio::time::timeout(Duration::from_mins(1), answer).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_line_of_ninety_megabytes_is_one_malformed_record() {
    let app = Arc::new(TestApp::new());
    let good = concat!(
        "\"\n",
        "{\"device\":\"a\",\"ip\":\"10.209.67.177\",\"time\":\"2017-08-29T13:00:00Z\"}",
        "\n"
    );
    let answer = post_long(&app, "/api/ingest/ndjson", "{\"device\":\"", 90, good).await;
    assert_eq!(
        (&answer.json()["counted"], &answer.json()["malformed"]),
        (&json!(1), &json!(1)),
        "{}",
        answer.text
    );

    let app = Arc::new(TestApp::new());
    let good = concat!(
        "\"\n{\"create\":{}}\n",
        "{\"device\":\"a\",\"ip\":\"10.209.67.177\",\"time\":\"2017-08-29T13:00:00Z\"}",
        "\n"
    );
    let answer = post_long(&app, "/elastic/_bulk", "{\"create\":{}}\n{\"device\":\"", 90, good).await;
    let body = answer.json();
    let statuses: Vec<_> =
        body["items"].as_array().unwrap().iter().map(|item| &item["create"]["status"]).collect();
    assert_eq!(statuses, [400, 201]);
    assert_eq!(app.prevalence().await, 1);
}

#[tokio::test]
async fn what_has_to_fit_into_memory_is_refused_where_it_does_not() {
    for (path, before) in [("/services/collector", "{\"event\":\""), ("/v1/logs", "{\"resourceLogs\":[\"")] {
        let app = Arc::new(TestApp::new());
        let answer = post_long(&app, path, before, 60, "").await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_bomb_is_defused_everywhere() {
    // A gigabyte, which is what a plain log may have, takes too long to unfold here; its limit is the same code.
    let bomb = {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let chunk = vec![b'\n'; 1 << 20];
        (0..101).for_each(|_| encoder.write_all(&chunk).unwrap());
        gzip(&encoder.finish().unwrap())
    };
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    for (path, ..) in &PLACES[1..] {
        let app = TestApp::new();
        let request = get(path).method(Method::POST).header("Authorization", bearer(0));
        let request =
            request.header("Content-Type", "application/json").header("Content-Encoding", "gzip, gzip");
        let answer = app.send(request.body(Body::from(bomb.clone())).unwrap()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_goes_on_is_given_up() {
    for (path, before, _) in PLACES {
        let app = Arc::new(TestApp::new());
        let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
        sender.send_data(Bytes::from_static(before.as_bytes())).await.unwrap();
        let one = Arc::clone(&app);
        let mut answer = tokio::spawn(async move { one.post_json(path, Body::new(body)).await });
        // The paused clock stands still as long as a thread is waiting for the body.
        let answer = loop {
            tokio::task::yield_now().await;
            tokio::time::advance(Duration::from_secs(1)).await;
            if answer.is_finished() {
                break (&mut answer).await.unwrap();
            }
        };
        let expected = if ["/api/ingest/ndjson", "/elastic/_bulk"].contains(&path) { 408 } else { 503 };
        assert_eq!(answer.status.as_u16(), expected, "{path}: {}", answer.text);
    }
}
