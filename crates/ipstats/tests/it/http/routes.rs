//! What is not there, and paths that try to be something else.

use super::*;

#[tokio::test]
async fn an_unknown_route_is_404_with_the_error_body() {
    let app = TestApp::new();
    for path in [
        "/",
        "/api/ips",
        "/api/ips/1.2.3.4",
        "/api/ips/1.2.3.4/stats/",
        "/api/v2.0/ips/1.2.3.4/stats",
        "//api/ips/1.2.3.4/stats",
        "/api//ips/1.2.3.4/stats",
        "/api/ips/1.2.3.4/stats%00",
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.error(), (404, "NotFound".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn another_method_is_405_and_told_which_are_allowed() {
    let app = TestApp::new();
    for (method, path, allowed) in [
        (Method::POST, "/api/ips/1.2.3.4/stats", "GET,HEAD"),
        (Method::DELETE, "/api/v1.0/ips/1.2.3.4/stats", "GET,HEAD"),
        (Method::OPTIONS, "/healthz", "GET,HEAD"),
        (Method::GET, "/contoso/oauth2/token", "POST"),
    ] {
        let answer = app.send(get(path).method(method).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.error(), (405, "MethodNotAllowed".to_owned()), "{path}");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn a_smuggled_path_reaches_no_other_data() {
    let app = TestApp::with("", &[("laptop", "10.209.67.177", NOW)]);
    for ip in [
        "..",
        "%2e%2e",
        "10.209.67.177%2Fstats%2F..%2F..%2F1.1.1.1",
        "%2F10.209.67.177",
        "10.209.67.177%00",
        "%00",
        "10.209.67.177%0a",
        "%c0%ae%c0%ae",
        "%ff",
        "..;",
        "10.209.67.177;x=1",
        "10.209.67.177%20",
    ] {
        let answer = app.get(&format!("/api/ips/{ip}/stats")).await;
        assert_eq!(answer.error(), (400, "InvalidIpAddress".to_owned()), "{ip}");
    }
    for path in
        ["/api/ips/1.1.1.1/../10.209.67.177/stats", "/api/ips%2F10.209.67.177/stats", "/api/%2e%2e/readyz"]
    {
        assert_eq!(app.get(path).await.error(), (404, "NotFound".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn the_metadata_document_describes_the_answer() {
    let app = TestApp::new();
    let answer = app.send(get("/api/$metadata").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::OK, "application/xml; charset=utf-8")
    );
    let known = TestApp::with("", &[("laptop", "1.2.3.4", NOW)]).get("/api/ips/1.2.3.4/stats").await.json();
    let context = known["@odata.context"].as_str().unwrap();
    let (namespace, name) = context.split_once('#').unwrap().1.rsplit_once('.').unwrap();
    assert!(answer.text.contains(&format!("<Schema Namespace=\"{namespace}\"")), "{}", answer.text);
    assert!(answer.text.contains(&format!("<ComplexType Name=\"{name}\">")));
    for field in known.as_object().unwrap().keys().filter(|field| !field.starts_with('@')) {
        assert!(answer.text.contains(&format!("<Property Name=\"{field}\"")), "{field} is described");
    }
}
