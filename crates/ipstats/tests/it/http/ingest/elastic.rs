//! `/elastic/…`: requests as clients of Elasticsearch send them.

use super::*;

const BULK: &str = "/elastic/_bulk";

fn api_key(key: usize) -> String {
    format!("ApiKey {}", pair(key))
}

fn bulk(documents: &[String]) -> String {
    let pair = |document: &String| format!("{{\"create\":{{\"_index\":\"logs\"}}}}\n{document}\n");
    documents.iter().map(pair).collect::<Vec<_>>().concat()
}

fn statuses(answer: &Answer) -> Vec<(String, u64)> {
    assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
    let body = answer.json();
    let items = body["items"].as_array().unwrap_or_else(|| panic!("{body}"));
    let one = |item: &Value| {
        let (verb, outcome) = item.as_object().unwrap().iter().next().unwrap();
        (verb.clone(), outcome["status"].as_u64().unwrap())
    };
    items.iter().map(one).collect()
}

#[tokio::test]
async fn documents_are_recorded_and_each_has_its_item() {
    let app = TestApp::new();
    let body = format!(
        "{{\"create\":{{}}}}\n{}\n{{ \"index\" : {{\"_index\":\"x\",\"_id\":\"7\"}} }}\r\n{}\r\n\n\
         {{\"delete\":{{\"_id\":\"7\"}}}}\n{{\"update\":{{\"_id\":\"7\"}}}}\n{{\"doc\":{{}}}}\n\
         {{\"create\":{{}}}}\n{{\"device\":\n{{\"create\":{{}}}}\n{}\n",
        connection("a"),
        connection("b"),
        connection("c")
    );
    for path in [
        "/elastic/_bulk",
        "/elastic/logs-2026/_bulk?filter_path=errors,items.*.status",
        "/elastic/x/_doc/_bulk",
    ] {
        let answer = app.post(path, &api_key(0), "", body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let expected = [
            ("create", 201),
            ("index", 201),
            ("delete", 404),
            ("update", 400),
            ("create", 400),
            ("create", 201),
        ];
        assert_eq!(statuses(&answer), expected.map(|(verb, status)| (verb.to_owned(), status)));
        assert_eq!(answer.json()["errors"], true);
        let reason = &answer.json()["items"][4]["create"]["error"]["reason"];
        assert!(reason.as_str().is_some_and(|reason| reason.contains("cut off")), "{reason}");
        assert_eq!(app.prevalence().await, 3, "and sending it again changes nothing");
    }
}

#[tokio::test]
async fn success_reads_as_shippers_look_for_it() {
    let app = TestApp::new();
    let body = gzip(bulk(&[connection("a")]).as_bytes());
    let answer = app.post(BULK, &api_key(0), "gzip", body).await;
    assert!(answer.text.contains(r#""errors":false,"items":["#), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(app.post(BULK, &api_key(0), "", "").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_a_shipper_wraps_around_a_line_is_taken_off() {
    let app = TestApp::new();
    let zeek =
        r#"{"ts":1504011600.5,"id.orig_h":"192.168.1.7","id.resp_h":"10.209.67.177","conn_state":"SF"}"#;
    let filebeat = json!({ "@timestamp": "2026-11-23T10:00:00Z", "message": zeek, "log": { "offset": 0 },
        "agent": { "type": "filebeat" }, "ecs": { "version": "8.0.0" }, "host": { "name": "sensor" } });
    let fluent_bit = json!({ "@timestamp": "2026-11-23T10:00:00Z", "log": connection("laptop") });
    let metric = json!({ "@timestamp": "2026-11-23T10:00:00Z", "system": { "load": 1 } });
    let body = bulk(&[filebeat.to_string(), fluent_bit.to_string(), metric.to_string()]);
    let answer = app.post(BULK, &api_key(0), "", body).await;
    assert_eq!(answer.json()["errors"], false, "what is of another kind is no error: {}", answer.text);
    assert_eq!(app.prevalence().await, 2);
}

#[tokio::test]
async fn everything_that_clients_ask_at_the_start_is_answered() {
    let app = TestApp::new();
    let ask = async |method: Method, path: &str| {
        let request = get(path).method(method).header("Authorization", format!("Basic {}", pair(0)));
        let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(
            (answer.status, answer.header("x-elastic-product")),
            (StatusCode::OK, "Elasticsearch"),
            "{path}"
        );
        answer
    };
    for path in ["/elastic", "/elastic/"] {
        let about = ask(Method::GET, path).await.json();
        assert_eq!(about["version"]["number"], "8.15.3");
        assert_eq!(about["tagline"], "You Know, for Search");
        ask(Method::HEAD, path).await;
    }
    assert_eq!(ask(Method::GET, "/elastic/_license").await.json()["license"]["status"], "active");
    assert_eq!(ask(Method::GET, "/elastic/_cluster/health").await.json()["status"], "green");
    for path in [
        "/elastic/_ilm/policy/filebeat",
        "/elastic/_index_template/filebeat-9.1.0",
        "/elastic/_component_template/logs@custom",
        "/elastic/_template/logstash",
        "/elastic/_ingest/pipeline/zeek",
        "/elastic/_data_stream/filebeat-9.1.0",
        "/elastic/_alias/logs",
        "/elastic/_nodes/http",
        "/elastic/_logstash/pipeline",
        "/elastic/_xpack",
        "/elastic/filebeat-9.1.0",
    ] {
        ask(Method::GET, path).await;
        ask(Method::HEAD, path).await;
    }
    for path in ["/elastic/_index_template/x", "/elastic/_ilm/policy/x", "/elastic/_data_stream/x"] {
        assert_eq!(ask(Method::PUT, path).await.json(), json!({ "acknowledged": true }));
    }
    for path in ["/elastic/_search", "/elastic/x/_search", "/elastic/x/_doc/1"] {
        let answer =
            app.send(get(path).header("Authorization", api_key(0)).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.json()["status"].as_u64()), (404, Some(404)), "{path}");
    }
}

#[tokio::test]
async fn a_key_is_needed_for_everything() {
    let app = TestApp::new();
    let unknown = BASE64_STANDARD.encode(format!("id:{}", IngestKey::generate().unwrap().reveal()));
    for authorization in
        ["", "ApiKey", "ApiKey x", &format!("ApiKey {unknown}"), &format!("Splunk {}", KEYS[0].reveal())]
    {
        for path in [BULK, "/elastic/", "/elastic/_license"] {
            let answer = app.post(path, authorization, "", bulk(&[connection("a")])).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["status"].as_u64()),
                (401, Some(401)),
                "{authorization}"
            );
            assert_eq!(answer.json()["error"]["type"], "security_exception");
            assert!(answer.header("www-authenticate").starts_with("Basic"));
            assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
        }
    }
    assert_eq!(app.get(IP_PATH).await.status, StatusCode::NOT_FOUND, "nothing was recorded");
    for authorization in [bearer(0), api_key(0), format!("Basic {}", pair(0))] {
        assert_eq!(app.post(BULK, &authorization, "", bulk(&[connection("a")])).await.status, StatusCode::OK);
    }
    let zeek =
        r#"{"ts":1504011600.5,"id.orig_h":"192.168.1.7","id.resp_h":"10.209.67.177","conn_state":"SF"}"#;
    assert_eq!(app.post(BULK, &api_key(1), "", bulk(&[zeek.to_owned()])).await.status, StatusCode::OK);
    assert_eq!(app.prevalence().await, 1, "fabrikam's key writes into fabrikam's data");
    let theirs = app.get_as(&app.token(FABRIKAM_READER), IP_PATH).await;
    assert_eq!(theirs.json()["organizationPrevalence"], 1);
}

#[tokio::test]
async fn pairs_that_do_not_fit_are_400_and_what_came_before_is_kept() {
    for rest in
        ["{\"delete\"", "{\"device\":\"x\"}\n", "{\"create\":{}}\n", "[]\n", "{\"create\":{},\"index\":{}}\n"]
    {
        let app = TestApp::new();
        let body = format!("{}{rest}", bulk(&[connection("a")]));
        let answer = app.post(BULK, &api_key(0), "", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{rest}: {}", answer.text);
        assert!(answer.json()["error"]["reason"].as_str().unwrap().contains("line 3"), "{}", answer.text);
        assert_eq!(app.prevalence().await, 1);
    }
    let answer = TestApp::new().post(BULK, &api_key(0), "br", "").await;
    assert_eq!(answer.json()["status"], 415);
}
