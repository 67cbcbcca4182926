//! Operations that Defender documents and this service does not have: never an answer that means "not seen".

use super::*;

const ALERTS: &str = "/api/alerts";

fn of_contoso(app: &TestApp, method: Method, path: &str) -> Request<Body> {
    let token = format!("Bearer {}", app.token(READER));
    get(path).method(method).header("Authorization", token).body(Body::from("{}")).unwrap()
}

#[tokio::test]
async fn other_operation_is_not_implemented_with_any_method() {
    let app = TestApp::new();
    for (method, path) in [
        (Method::GET, ALERTS),
        (Method::GET, "/api/v1.0/alerts?$top=10"),
        (Method::PATCH, "/api/alerts/da637084217856368682_1"),
        (Method::GET, "/api/machines"),
        (Method::POST, "/api/machines/1e5bc9d7e413ddd7902c2932e418702b84d0cc07/isolate"),
        (Method::GET, "/api/machineactions"),
        (Method::GET, "/api/domains/example.com/stats"),
        (Method::GET, "/api/files/6532ec91d513acc05f43ee0aa3002599729fd3e1/stats"),
        (Method::GET, "/api/ips/192.0.2.1/alerts"),
        (Method::GET, "/api/v1.0/ips/192.0.2.1/machines"),
        (Method::GET, "/api/users/user1/machines"),
        (Method::POST, "/api/indicators"),
        (Method::DELETE, "/api/indicators/995"),
        (Method::POST, "/api/advancedqueries/run"),
        (Method::GET, "/api/Vulnerabilities"),
        (Method::GET, "/api/recommendations"),
        (Method::GET, "/api/Software"),
        (Method::GET, "/api/investigations"),
        (Method::GET, "/api/libraryfiles"),
        (Method::GET, "/api/exposureScore"),
        (Method::OPTIONS, "/api/remediationtasks"),
    ] {
        let answer = app.send(of_contoso(&app, method.clone(), path)).await;
        assert_eq!(answer.error(), (501, "NotImplemented".to_owned()), "{method} {path}");
        assert!(answer.message().contains("this service answers IP statistics, not this operation"));
    }
}

#[tokio::test]
async fn token_is_checked_before_not_implemented() {
    let app = TestApp::new();
    for request in [get(ALERTS), get(ALERTS).method(Method::POST), get("/api/ips/192.0.2.1/alerts")] {
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.error(), (401, "Unauthorized".to_owned()));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(app.get_as("nonsense", ALERTS).await.error(), (401, "Unauthorized".to_owned()));
    // No permission of IP statistics would help.
    assert_eq!(app.get_as(&app.token(STRANGER), ALERTS).await.error().0, 501);
}

#[tokio::test]
async fn other_operations_have_their_own_quota() {
    let app = TestApp::with("rate_limits = ['1 per 00:01:00']", &[("laptop", "10.209.67.177", NOW)]);
    assert_eq!(app.get(ALERTS).await.error().0, 501);
    assert_eq!(app.get("/api/machines").await.error(), (429, "TooManyRequests".to_owned()));
    assert_eq!(app.get("/api/ips/10.209.67.177/stats").await.status, StatusCode::OK);
    assert_eq!(app.get_as(&app.token(FABRIKAM_READER), ALERTS).await.error().0, 501);
}

#[tokio::test]
async fn path_below_public_prefix_is_recognized() {
    let app = TestApp::with("public_urls = ['https://soc.example.org/defender']", &[]);
    let request = get("/defender/api/alerts").header("Host", "soc.example.org");
    let request = request.header("Authorization", format!("Bearer {}", app.token(READER)));
    assert_eq!(app.send(request.body(Body::empty()).unwrap()).await.error().0, 501);
}
