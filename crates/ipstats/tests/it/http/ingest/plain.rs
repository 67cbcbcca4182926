//! `POST /api/ingest/{format}`.

use super::*;
use axum::body::Bytes;
use http_body_util::channel::Channel;

#[tokio::test]
async fn every_record_is_accounted_for_and_answered_at_once() {
    let app = TestApp::new();
    let answer = app.post_plain("ndjson", LOG).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    assert_eq!(
        (&body["counted"], &body["notAConnection"], &body["outsideRetention"], &body["malformed"]),
        (&json!(2), &json!({}), &json!(1), &json!(2))
    );
    let lines: Vec<_> =
        body["issues"].as_array().unwrap().iter().map(|issue| issue["line"].clone()).collect();
    assert_eq!(lines, [json!(4), json!(5)]);
    assert!(body["issues"][0]["problem"].is_string());
    assert_eq!(app.prevalence().await, 2);
}

#[tokio::test]
async fn sending_it_again_changes_nothing() {
    let app = TestApp::new();
    for _ in 0..3 {
        assert_eq!(app.post_plain("auto", LOG).await.status, StatusCode::OK);
        assert_eq!(app.prevalence().await, 2);
    }
}

#[tokio::test]
async fn compression_is_seen_from_the_content() {
    let zstd = zstd::encode_all(LOG.as_bytes(), 1).unwrap();
    for (encoding, log) in
        [("gzip", gzip(LOG.as_bytes())), ("", gzip(LOG.as_bytes())), ("zstd", zstd), ("identity", LOG.into())]
    {
        let app = TestApp::new();
        let answer = app.post("/api/ingest/ndjson", &bearer(0), encoding, log).await;
        assert_eq!(
            (answer.status, app.prevalence().await),
            (StatusCode::OK, json!(2)),
            "{encoding}: {}",
            answer.text
        );
    }
    let answer = TestApp::new().post("/api/ingest/ndjson", &bearer(0), "br", LOG).await;
    assert_eq!(answer.error(), (415, "UnsupportedMediaType".to_owned()));
}

#[tokio::test]
async fn what_is_no_log_is_400_and_says_so() {
    let app = TestApp::new();
    let picture = &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..];
    let picture = app.post("/api/ingest/auto", &bearer(0), "", picture).await;
    assert_eq!(picture.error(), (400, "BadRequest".to_owned()));
    assert!(
        picture.text.contains("Nothing was recorded: binary data (no text in UTF-8); export"),
        "{}",
        picture.text
    );
    let letter = app.post_plain("auto", "Dear reader,\n").await;
    assert!(
        letter.text.contains("Nothing was recorded: format not recognized: it starts with"),
        "{}",
        letter.text
    );
}

#[tokio::test]
async fn each_format_has_its_path() {
    let csv = "device,ip,time\nlaptop,10.209.67.177,2017-08-29T13:00:00Z\n";
    let array = r#"[{"device":"laptop","ip":"10.209.67.177","time":"2017-08-29T13:00:00Z"}]"#;
    let zeek = "#separator \\x09\n#fields\tts\tid.orig_h\tid.resp_h\tproto\tconn_state\n\
                1504011600.5\t192.168.1.7\t10.209.67.177\ttcp\tSF\n";
    for (format, log) in [("csv", csv), ("auto", csv), ("ndjson", array), ("zeek", zeek), ("zeek-tsv", zeek)]
    {
        let app = TestApp::new();
        let answer = app.post_plain(format, log).await;
        assert_eq!(
            (answer.status, app.prevalence().await),
            (StatusCode::OK, json!(1)),
            "{format}: {}",
            answer.text
        );
    }
    let answer = TestApp::new().post_plain("netflow", LOG).await;
    assert_eq!(answer.error(), (400, "BadRequest".to_owned()));
    assert!(answer.message().contains("zeek-tsv"), "{}", answer.message());
}

#[tokio::test]
async fn a_wrong_format_is_told_with_the_one_it_seems_to_be() {
    let app = TestApp::new();
    let log = &LOG[..LOG.rfind('\n').unwrap()];
    let note = |format| {
        format!("nothing of the log was counted as {format}: it looks like ndjson; send it as ndjson or auto")
    };
    for format in ["zeek-json", "suricata"] {
        let answer = app.post_plain(format, log).await;
        assert_eq!(
            (answer.status, &answer.json()["counted"]),
            (StatusCode::OK, &json!(0)),
            "{}",
            answer.text
        );
        assert_eq!(answer.json()["note"], note(format), "{}", answer.text);
    }
    let answer = app.post_plain("csv", log).await;
    assert_eq!(answer.error(), (400, "BadRequest".to_owned()));
    assert_eq!(answer.json()["recorded"]["note"], note("csv"), "{}", answer.text);
    assert_eq!(app.post_plain("ndjson", LOG).await.json()["note"], Value::Null);
    // What is refused names it as well.
    let answer = app.post_plain("zeek", LOG).await;
    assert_eq!(answer.error(), (400, "BadRequest".to_owned()));
    assert!(answer.message().contains("looks like ndjson"), "{}", answer.message());
}

#[tokio::test]
async fn nothing_to_tell_is_fine() {
    for log in ["", "[]", "\n\n"] {
        let answer = TestApp::new().post_plain("ndjson", log).await;
        assert_eq!(
            (answer.status, &answer.json()["counted"]),
            (StatusCode::OK, &json!(0)),
            "{log:?}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_key_is_needed_and_a_token_is_none() {
    let app = TestApp::new();
    let unknown = IngestKey::generate().unwrap();
    let token = app.token(READER);
    for authorization in [
        "",
        "Bearer",
        "Bearer x",
        &format!("Bearer {}", unknown.reveal()),
        &format!("Bearer {token}"),
        &format!("Splunk {}", KEYS[0].reveal()),
        &format!("Basic {}", KEYS[0].reveal()),
    ] {
        let answer = app.post("/api/ingest/ndjson", authorization, "", LOG).await;
        assert_eq!(answer.error(), (401, "Unauthorized".to_owned()), "{authorization}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let twice = get("/api/ingest/ndjson").method(Method::POST).header("Authorization", bearer(0));
    let twice = app.send(twice.header("Authorization", bearer(0)).body(Body::from(LOG)).unwrap()).await;
    assert_eq!(twice.error().0, 401);
    assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "nothing was recorded");

    let key = app.get_as(KEYS[0].reveal(), IP_PATH).await;
    assert_eq!(key.error().0, 401, "and a key opens no answers");
}

#[tokio::test]
async fn a_key_as_the_password_of_basic_is_the_same_key() {
    use base64::Engine as _;
    let app = TestApp::new();
    let pair = base64::prelude::BASE64_STANDARD.encode(format!("vector:{}", KEYS[0].reveal()));
    assert_eq!(
        app.post("/api/ingest/ndjson", &format!("Basic {pair}"), "", LOG).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_key_writes_into_its_own_organization_only() {
    let app = TestApp::new();
    assert_eq!(app.post("/api/ingest/ndjson", &bearer(1), "", LOG).await.status, StatusCode::OK);
    assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "contoso sees nothing of it");
    let theirs = app.get_as(&app.token(FABRIKAM_READER), IP_PATH).await;
    assert_eq!(theirs.json()["organizationPrevalence"], 2);
}

#[tokio::test]
async fn what_is_cut_off_or_unreadable_is_400_and_what_came_before_is_kept() {
    let app = TestApp::new();
    let mut cut = gzip(LOG.as_bytes());
    cut.truncate(cut.len() - 4);
    let answer = app.post_plain("ndjson", cut).await;
    assert_eq!(answer.error(), (400, "BadRequest".to_owned()));
    assert!(answer.message().contains("ends too early"), "{}", answer.message());
    assert_eq!(app.prevalence().await, 2);
    let recorded = &answer.json()["recorded"];
    assert_eq!((&recorded["counted"], &recorded["outsideRetention"]), (&2.into(), &1.into()), "{recorded}");

    for log in ["\u{0}\u{1}\u{2}\u{3}", "hello\nworld\n", "device,ip\na,1.2.3.4\n"] {
        let answer = TestApp::new().post_plain("auto", log).await;
        assert_eq!(answer.error(), (400, "BadRequest".to_owned()), "{log:?}");
    }
}

#[tokio::test]
async fn a_large_log_is_recorded_whole() {
    let app = TestApp::new();
    let line = |number: u32| {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number % 1000);
        format!("{{\"device\":\"d{number}\",\"ip\":\"{ip}\",\"time\":\"2017-08-29T13:00:00Z\"}}\n")
    };
    let log = gzip((0..200_000).map(line).collect::<String>().as_bytes());
    let answer = app.post_plain("auto", log).await;
    assert_eq!(
        (answer.status, &answer.json()["counted"]),
        (StatusCode::OK, &json!(200_000)),
        "{}",
        answer.text
    );
    assert_eq!(app.get("/api/ips/10.0.3.231/stats").await.json()["organizationPrevalence"], 200);
}

/// Long logs take their place while they arrive. No other log may wait for it, because its sender may be slow.
#[tokio::test(flavor = "multi_thread")]
async fn long_log_without_place_is_refused() {
    let app = Arc::new(TestApp::new());
    // More than there are places on this machine.
    let logs = std::thread::available_parallelism().unwrap().get() * 4 + 1;
    let (mut senders, mut answers) = (Vec::new(), tokio::task::JoinSet::new());
    for _ in 0..logs {
        let (sender, body) = Channel::<Bytes, std::io::Error>::new(2);
        let app = Arc::clone(&app);
        answers.spawn(async move { app.post_plain("ndjson", Body::new(body)).await });
        senders.push(sender);
    }
    for sender in &mut senders {
        // More than a small upload has.
        sender.send_data(vec![b'\n'; 100_000].into()).await.unwrap();
    }
    // The others wait for the rest of their log.
    let refused = answers.join_next().await.unwrap().unwrap();
    assert_eq!(refused.error(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(app.get(IP_PATH).await.error().0, 404, "questions are answered meanwhile");
    for mut sender in senders {
        // Of a log that was refused the body is gone.
        let _ = sender.send_data(Bytes::from_static(LOG.as_bytes())).await;
    }
    let statuses: Vec<_> = answers.join_all().await.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(app.post_plain("ndjson", LOG).await.status, StatusCode::OK, "there is room again");
}

#[tokio::test]
async fn a_sender_that_breaks_off_gets_no_success() {
    let app = TestApp::new();
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    sender.send_data(Bytes::from_static(LOG.as_bytes())).await.unwrap();
    sender.abort(std::io::Error::other("connection reset"));
    let answer = app.post_plain("ndjson", Body::new(body)).await;
    assert_eq!(answer.error(), (408, "RequestTimeout".to_owned()));
    assert_eq!(app.prevalence().await, 2, "whole lines before it are kept");
}

#[tokio::test]
async fn encodings_are_undone_one_after_the_other() {
    let zlib = |log: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(log).unwrap();
        encoder.finish().unwrap()
    };
    for (encoding, log) in [("deflate", zlib(LOG.as_bytes())), ("deflate, gzip", gzip(&zlib(LOG.as_bytes())))]
    {
        let app = TestApp::new();
        let answer = app.post("/api/ingest/ndjson", &bearer(0), encoding, log).await;
        assert_eq!((answer.status, app.prevalence().await), (StatusCode::OK, json!(2)), "{encoding}");
    }
    let mut long_distance = zstd::Encoder::new(Vec::new(), 1).unwrap();
    long_distance.window_log(27).unwrap();
    long_distance.write_all(LOG.as_bytes()).unwrap();
    long_distance.flush().unwrap();
    long_distance.write_all(LOG.as_bytes()).unwrap();
    let answer = TestApp::new().post_plain("ndjson", long_distance.finish().unwrap()).await;
    assert_eq!(answer.error(), (400, "BadRequest".to_owned()));
    assert!(answer.message().contains("8 MiB"), "{}", answer.message());
}

#[tokio::test]
async fn a_key_knows_the_format_that_the_path_leaves_open() {
    let app = TestApp::new();
    let zeek =
        r#"{"ts":1504011600.5,"id.orig_h":"192.168.1.7","id.resp_h":"10.209.67.177","conn_state":"SF"}"#;
    // The key of fabrikam is for Zeek only.
    let log = app.post("/api/ingest/auto", &bearer(1), "", LOG).await;
    assert_eq!(log.error(), (400, "BadRequest".to_owned()), "our own format is not admitted");
    assert_eq!(app.post("/api/ingest/auto", &bearer(1), "", zeek).await.json()["counted"], 1);
    assert_eq!(app.post("/api/ingest/ndjson", &bearer(1), "", LOG).await.json()["counted"], 2);
}

#[tokio::test]
async fn padding_is_skipped_and_trailing_bytes_noted() {
    let three = ["a", "b", "c"].map(|device| connection(device) + "\n").concat();
    let zeros = vec![0; 4096];
    let compressed = |content: &[u8]| [gzip(content), zstd::encode_all(content, 1).unwrap()];
    let padded = compressed(three.as_bytes()).map(|log| [log, zeros.clone()].concat());
    for log in padded.into_iter().chain([[zeros.clone(), three.clone().into()].concat()]) {
        let app = TestApp::new();
        let answer = app.post_plain("auto", log).await;
        assert_eq!((answer.status, app.prevalence().await), (StatusCode::OK, json!(3)), "{}", answer.text);
        assert_eq!(answer.json().get("note"), None, "{}", answer.text);
    }
    for log in compressed(three.as_bytes()) {
        let app = TestApp::new();
        let answer = app.post_plain("auto", [log, b"more".to_vec()].concat()).await;
        assert_eq!((answer.status, app.prevalence().await), (StatusCode::OK, json!(3)), "{}", answer.text);
        let note = answer.json()["note"].as_str().unwrap().to_owned();
        assert!(note.starts_with("4 bytes after the end of the "), "{note}");
    }
}
