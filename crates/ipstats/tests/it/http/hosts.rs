//! Which public URL a request was made to, and who made it: hosts, prefixes, proxies.

use super::*;

const URLS: &str = "public_urls = ['https://api.example.org', 'https://us.example.org:8443/defender']";
const PATH: &str = "/api/ips/10.209.67.177/stats";

fn app(settings: &str) -> TestApp {
    TestApp::with(&format!("{URLS}\n{settings}"), &[("laptop", "10.209.67.177", NOW)])
}

impl TestApp {
    /// The base of the context in the answer to a request from `peer`.
    async fn base(&self, peer: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut request = get(path).header("Authorization", format!("Bearer {}", self.token(READER)));
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request = request.header("Host", "backend");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let entrance = self.router.of_peer(peer.parse().unwrap());
        let response = entrance.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let context = body["@odata.context"].as_str().unwrap_or_else(|| panic!("{body}"));
        context.split_once("/api/$metadata#").unwrap().0.to_owned()
    }
}

#[tokio::test]
async fn a_prefix_may_or_may_not_be_taken_away_by_the_proxy() {
    let app = app("");
    let host = ("Host", "us.example.org:8443");
    for path in [PATH, &format!("/defender{PATH}")] {
        assert_eq!(app.base("127.0.0.1", path, &[host]).await, "https://us.example.org:8443/defender");
    }
    let other = get(&format!("/defender{PATH}")).header("Host", "api.example.org");
    assert_eq!(
        app.send(other.body(Body::empty()).unwrap()).await.error().0,
        404,
        "not the prefix of this host"
    );
}

#[tokio::test]
async fn an_absolute_target_wins_over_the_host_header_and_is_not_echoed() {
    let app = app("");
    let listed = format!("https://us.example.org:8443{PATH}");
    let base = app.base("127.0.0.1", &listed, &[("Host", "api.example.org")]).await;
    assert_eq!(base, "https://us.example.org:8443/defender");
    let unlisted = format!("http://evil.example.com{PATH}");
    let base = app.base("127.0.0.1", &unlisted, &[("Host", "us.example.org:8443")]).await;
    assert_eq!(base, "https://api.example.org");
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_host_and_nobody_else_does() {
    let app = app("trusted_proxies = ['10.0.0.0/8', '127.0.0.1']");
    let said = [("Host", "backend:8080"), ("X-Forwarded-Host", "us.example.org:8443")];
    for (peer, base) in [
        ("10.1.2.3", "https://us.example.org:8443/defender"),
        ("::ffff:10.1.2.3", "https://us.example.org:8443/defender"),
        ("127.0.0.1", "https://us.example.org:8443/defender"),
        ("192.0.2.1", "https://api.example.org"),
    ] {
        assert_eq!(app.base(peer, PATH, &said).await, base, "{peer}");
    }
    let unlisted = [("Host", "us.example.org:8443"), ("X-Forwarded-Host", "evil.example.com")];
    assert_eq!(app.base("10.1.2.3", PATH, &unlisted).await, "https://us.example.org:8443/defender");
    let other_family = [("Forwarded", "host=\"us.example.org:8443\"")];
    assert_eq!(app.base("10.1.2.3", PATH, &other_family).await, "https://api.example.org");
}

#[tokio::test]
async fn forwarded_is_believed_where_the_proxies_write_it() {
    let app = app("trusted_proxies = ['10.0.0.0/8']\nproxy_headers = 'forwarded'");
    let said = [("Forwarded", "for=198.51.100.7;host=\"us.example.org:8443\";proto=https")];
    assert_eq!(app.base("10.1.2.3", PATH, &said).await, "https://us.example.org:8443/defender");
    let other_family = [("X-Forwarded-Host", "us.example.org:8443")];
    assert_eq!(app.base("10.1.2.3", PATH, &other_family).await, "https://api.example.org");
}

#[tokio::test]
async fn a_token_issued_under_one_public_url_is_good_under_all() {
    let app = app("");
    let (secret, _) = &*SECRET;
    for (host, base) in [
        ("api.example.org", "https://api.example.org"),
        ("us.example.org:8443", "https://us.example.org:8443/defender"),
    ] {
        let discovery = get("/contoso/v2.0/.well-known/openid-configuration").header("Host", host);
        let discovery = app.send(discovery.body(Body::empty()).unwrap()).await.json();
        let issuer = format!("{base}/{CONTOSO}/v2.0");
        assert_eq!(discovery["issuer"], issuer);
        assert_eq!(discovery["token_endpoint"], format!("{base}/{CONTOSO}/oauth2/v2.0/token"));
        let form = format!(
            "grant_type=client_credentials&client_id={READER}&client_secret={secret}&scope={AUDIENCE}/.default"
        );
        let request = get("/contoso/oauth2/v2.0/token").method(Method::POST).header("Host", host);
        let answer = app.send(request.body(Body::from(form)).unwrap()).await.json();
        let token = answer["access_token"].as_str().unwrap();
        let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap();
        assert_eq!(claims["iss"], issuer);
        for asked in ["api.example.org", "us.example.org:8443"] {
            let (name, value) = ("Authorization", format!("Bearer {token}"));
            let request = get(PATH).header("Host", asked).header(name, value);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::OK, "issued at {host}, used at {asked}: {}", answer.text);
        }
    }
}
