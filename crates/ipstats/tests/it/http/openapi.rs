//! The OpenAPI document.

use super::*;

#[tokio::test]
async fn the_document_is_what_it_was() {
    let app =
        TestApp::with("public_urls = ['https://api.example.org', 'https://us.example.org/defender']", &[]);
    let answer = app.send(get("/api/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    let mut document = answer.json();
    // Formats come and go with `ipstats-formats`; the version with releases.
    let formats = document["components"]["schemas"]["FormatName"]["enum"].take();
    assert!(formats.as_array().unwrap().contains(&json!("zeek")), "{formats}");
    assert_eq!(document["info"]["version"].take(), env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[tokio::test]
async fn every_operation_of_the_document_exists() {
    let app = TestApp::new();
    let document = app.get("/api/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let sent = path.replace("{ip}", "1.2.3.4").replace("{tenant}", "contoso").replace("{format}", "auto");
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = app.send(get(&sent).method(method.clone()).body(Body::empty()).unwrap()).await;
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let unknown = r#"{"error":{"code":"NotFound""#;
            assert!(!answer.text.starts_with(unknown), "{method} {path}");
        }
    }
}
