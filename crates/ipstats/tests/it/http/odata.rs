//! What OData asks for: the documents, formats, versions.

use super::*;
use crate::peer;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const PATH: &str = "/api/ips/10.209.67.177/stats";

fn app() -> TestApp {
    TestApp::with("public_urls = ['https://api.example.org']", &[("laptop", "10.209.67.177", NOW)])
}

impl TestApp {
    /// A GET without a token.
    async fn document(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn stats(&self, query: &str, headers: &[(&str, &str)]) -> Answer {
        let authorization = format!("Bearer {}", self.token(READER));
        let headers = [&[("Authorization", authorization.as_str())], headers].concat();
        self.document(&format!("{PATH}{query}"), &headers).await
    }
}

/// All that the answer depends on.
fn vary(headers: &HeaderMap) -> String {
    let values = headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
#[ignore = "needs .ci/peers/odata.sh"]
async fn outside_validators_find_nothing_wrong_with_the_metadata_document() {
    let place = peer::installed("odata", "validate.mjs");
    let folder = tempfile::tempdir().unwrap();
    let app = app();
    let save = async |name: &str, text: String| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    };
    let text = app.document("/api/$metadata", &[]).await.text;
    let broken = save("broken.xml", text.replace("<ReturnType ", "<Return ")).await;
    let xml = save("metadata.xml", text).await;
    let json = save("metadata.json", app.document("/api/$metadata?$format=json", &[]).await.text).await;
    let validate = |xml: &Path| {
        Command::new("node").current_dir(&place).arg("validate.mjs").args([xml, &json]).output().unwrap()
    };
    let output = validate(&xml);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What the parser read is what the service answers.
    let described = String::from_utf8(output.stdout).unwrap();
    let described: BTreeSet<_> =
        described.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    let answer = app.stats("?$format=application/json;odata.metadata=none", &[]).await.json();
    assert_eq!(described, answer.as_object().unwrap().keys().cloned().collect());
    assert!(!validate(&broken).status.success(), "a broken document is found");
}

#[tokio::test]
async fn the_service_document_leads_to_the_metadata_document() {
    let app = app();
    for path in ["/api", "/api/", "/api/v1.0", "/api/v1.0/"] {
        let answer = app.document(path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(
            answer.text,
            r#"{"@odata.context":"https://api.example.org/api/$metadata","value":[{"name":"ips","kind":"EntitySet","url":"ips"}]}"#
        );
        assert!(answer.header("content-type").starts_with("application/json; odata.metadata=minimal"));
    }
    let none = app.document("/api", &[("Accept", "application/json;odata.metadata=none")]).await;
    assert!(none.text.starts_with(r#"{"value":"#), "{}", none.text);
    for (path, xml) in
        [("/api/$metadata", true), ("/api/v1.0/$metadata", true), ("/api/$metadata?$format=json", false)]
    {
        let answer = app.document(path, &[]).await;
        let expected = if xml { "application/xml; charset=utf-8" } else { "application/json; charset=utf-8" };
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, expected), "{path}");
        assert_eq!(
            (answer.header("odata-version"), vary(&answer.headers).as_str()),
            ("4.0", "accept, accept-encoding")
        );
    }
}

#[tokio::test]
async fn full_metadata_tells_the_types_that_json_does_not() {
    let answer = app().stats("", &[("Accept", "application/json; odata.metadata=full")]).await;
    assert_eq!(
        answer.text,
        r##"{"@odata.context":"https://api.example.org/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","@odata.type":"#microsoft.windowsDefenderATP.api.InOrgIPStats","ipAddress":"10.209.67.177","orgPrevalence":"1","organizationPrevalence@odata.type":"#Int64","organizationPrevalence":1,"orgFirstSeen@odata.type":"#DateTimeOffset","orgFirstSeen":"2017-08-29T13:32:59Z","orgLastSeen@odata.type":"#DateTimeOffset","orgLastSeen":"2017-08-29T13:32:59Z"}"##
    );
    assert!(answer.header("content-type").contains("odata.metadata=full"));
}

#[tokio::test]
async fn unknown_options_are_odata_errors_everywhere_and_format_is_known() {
    let app = app();
    for path in [PATH, "/api", "/api/$metadata"] {
        for query in ["?$top=1", "?%24select=ipAddress", "?$format=atom", "?$format=json&$format=json"] {
            let answer = app.get(&format!("{path}{query}")).await;
            assert_eq!(answer.error(), (400, "ODataError".to_owned()), "{path}{query}");
        }
        assert_eq!(app.get(&format!("{path}?$format=json&other=1")).await.status, StatusCode::OK, "{path}");
    }
    let none =
        app.stats("?$format=application/json;metadata=none", &[("Accept", "*/*;odata.metadata=full")]).await;
    assert!(none.text.starts_with(r#"{"ipAddress""#), "$format wins over Accept: {}", none.text);
    assert_eq!(app.stats("?$format=xml", &[]).await.error().0, 400, "answers exist in JSON only");
}

#[tokio::test]
async fn any_accept_is_answered_and_too_old_clients_are_told() {
    let app = app();
    for accept in ["text/html", "image/png;q=1", "application/json;odata.metadata=none;q=0", "garbage", ""] {
        assert_eq!(app.stats("", &[("Accept", accept)]).await.status, StatusCode::OK, "{accept}");
    }
    for path in [PATH, "/api", "/api/$metadata"] {
        let authorization = format!("Bearer {}", app.token(READER));
        let old = [("Authorization", authorization.as_str()), ("OData-MaxVersion", "3.0")];
        assert_eq!(app.document(path, &old).await.error(), (400, "ODataError".to_owned()), "{path}");
    }
    assert_eq!(
        app.stats("", &[("OData-MaxVersion", "4.0"), ("OData-Version", "4.0")]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let app = app();
    for path in [PATH, "/api", "/api/$metadata", "/healthz", "/api/ips/nonsense/stats"] {
        let full = app.get(path).await;
        let request =
            get(path).method(Method::HEAD).header("Authorization", format!("Bearer {}", app.token(READER)));
        let head = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.text.as_str()), (full.status, ""), "{path}");
        for name in ["content-type", "odata-version", "cache-control", "vary"] {
            assert_eq!(head.header(name), full.header(name), "{path} {name}");
        }
        // Over a connection an answer that does not tell its length is given it.
        let length = full.text.len().to_string();
        assert!(["", &length].contains(&full.header("content-length")), "{path}");
        assert_eq!(head.header("content-length"), length, "{path}");
    }
}

#[tokio::test]
async fn long_documents_are_compressed_when_asked_for_and_answers_are_not() {
    let app = app();
    let plain = app.document("/api/$metadata", &[]).await.text;
    for encoding in ["gzip", "zstd"] {
        let request = get("/api/$metadata").header("Accept-Encoding", encoding).body(Body::empty()).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert_eq!(vary(response.headers()), "accept, accept-encoding");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.len() < plain.len() / 2);
        let mut text = String::new();
        let mut reader: Box<dyn std::io::Read> = match encoding {
            "gzip" => Box::new(flate2::read::GzDecoder::new(&body[..])),
            _ => Box::new(zstd::stream::read::Decoder::new(&body[..]).unwrap()),
        };
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, plain);
    }
    for (path, encoding) in [("/api/$metadata", "br"), ("/api/$metadata", "gzip;q=0"), ("/api", "gzip")] {
        let answer = app.document(path, &[("Accept-Encoding", encoding)]).await;
        assert_eq!(answer.header("content-encoding"), "", "{path} {encoding}");
    }
    assert_eq!(app.stats("", &[("Accept-Encoding", "gzip")]).await.header("content-encoding"), "");
}

#[tokio::test]
async fn answers_are_kept_by_nobody_and_not_guessed_at() {
    let app = app();
    for (path, kept) in [
        (PATH, "no-store"),
        ("/nowhere", "no-store"),
        ("/api", "no-store"),
        ("/api/$metadata", "max-age=3600"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("cache-control"), kept, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}
