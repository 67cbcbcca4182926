//! Rate limits: whose quota it is, what a refusal says, and what comes before and after it.

use super::*;

const IP: &str = "/api/ips/10.209.67.177/stats";

fn limited(limits: &str) -> TestApp {
    TestApp::with(&format!("rate_limits = {limits}"), &[("laptop", "10.209.67.177", NOW)])
}

async fn statuses(app: &TestApp, client_id: &str, path: &str, calls: usize) -> Vec<u16> {
    let token = app.token(client_id);
    let mut statuses = Vec::new();
    for _ in 0..calls {
        statuses.push(app.get_as(&token, path).await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn the_hundred_and_first_call_of_a_minute_is_refused_until_retry_after() {
    let app = TestApp::with("", &[("laptop", "10.209.67.177", NOW)]);
    assert_eq!(statuses(&app, READER, IP, 60).await, [200; 60]);
    app.token_clock.advance(25);
    assert_eq!(statuses(&app, READER, "/api/v1.0/ips/10.209.67.177/stats", 40).await, [200; 40]);
    app.token_clock.advance(1);
    let answer = app.get(IP).await;
    assert_eq!(answer.error(), (429, "TooManyRequests".to_owned()));
    assert_eq!(answer.message(), "API calls quota exceeded! maximum allowed 100 per 00:01:00");
    assert_eq!(answer.header("retry-after"), "34");
    app.token_clock.advance(33);
    assert_eq!(app.get(IP).await.header("retry-after"), "1");
    app.token_clock.advance(1);
    assert_eq!(app.get(IP).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_hour_has_its_own_limit_and_message() {
    let app = TestApp::with("", &[]);
    for _ in 0..15 {
        assert_eq!(statuses(&app, READER, IP, 100).await, [404; 100]);
        app.token_clock.advance(60);
    }
    let answer = app.get(IP).await;
    assert_eq!(answer.message(), "API calls quota exceeded! maximum allowed 1500 per 01:00:00");
    assert_eq!(answer.header("retry-after"), "2700");
}

#[tokio::test]
async fn applications_and_organizations_have_quotas_of_their_own() {
    let app = limited("['1 per 00:01:00']");
    assert_eq!(statuses(&app, READER, IP, 2).await, [200, 429]);
    assert_eq!(statuses(&app, STRANGER, IP, 2).await, [403, 429]);
    assert_eq!(statuses(&app, FABRIKAM_READER, IP, 2).await, [404, 429]);
}

#[tokio::test]
async fn a_token_is_looked_at_first_and_everything_else_afterwards() {
    let app = limited("['1 per 00:01:00']");
    assert_eq!(app.get_as("nonsense", IP).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get("/api/ips/nonsense/stats").await.status, StatusCode::BAD_REQUEST);
    // The bad request was a call; now neither the address nor the option is looked at.
    for path in ["/api/ips/nonsense/stats", "/api/ips/1.2.3.4/stats?$top=1", IP] {
        assert_eq!(app.get(path).await.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    assert_eq!(app.get_as("nonsense", IP).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get("/api/$metadata").await.status, StatusCode::OK, "it costs no quota");
}

#[tokio::test]
async fn limits_can_be_turned_off() {
    let app = limited("['off']");
    assert_eq!(statuses(&app, READER, IP, 300).await, [200; 300]);
}
