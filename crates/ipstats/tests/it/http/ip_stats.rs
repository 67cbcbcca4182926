//! `GET /api/ips/{ip}/stats`.

use super::*;

const IP: &str = "10.209.67.177";
const CONNECTIONS: [(&str, &str, &str); 5] = [
    ("laptop-1", IP, "2017-08-29T13:32:59Z"),
    ("laptop-1", IP, "2017-08-28T01:00:07Z"),
    ("laptop-2", IP, "2017-08-28T02:00:00Z"),
    ("laptop-3", IP, "2017-08-01T00:00:00Z"),
    ("laptop-1", "2001:db8::1", "2017-08-29T13:00:00Z"),
];

fn path(ip: &str) -> String {
    format!("/api/ips/{ip}/stats")
}

#[tokio::test]
async fn the_answer_has_the_fields_and_headers_of_the_contract() {
    let app = TestApp::with("", &CONNECTIONS);
    let answer = app.get(&format!("{}?lookBackHours=48", path(IP))).await;
    assert_eq!(
        answer.text,
        concat!(
            r#"{"@odata.context":"http://127.0.0.1:8080/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","#,
            r#""ipAddress":"10.209.67.177","orgPrevalence":"2","organizationPrevalence":2,"#,
            r#""orgFirstSeen":"2017-08-28T01:00:07Z","orgLastSeen":"2017-08-29T13:32:59Z"}"#
        )
    );
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
    );
    assert_eq!(answer.header("odata-version"), "4.0");
}

#[tokio::test]
async fn both_forms_of_the_path_answer_the_same_and_head_answers_without_a_body() {
    let app = TestApp::with("", &CONNECTIONS);
    let (one, other) = (app.get(&path(IP)).await, app.get(&format!("/api/v1.0/ips/{IP}/stats")).await);
    assert_eq!((one.status, &one.text), (StatusCode::OK, &other.text));
    assert_eq!(one.json()["orgPrevalence"], "3");

    let head =
        get(&path(IP)).method(Method::HEAD).header("Authorization", format!("Bearer {}", app.token(READER)));
    let head = app.send(head.body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.header("content-length"), one.text.len().to_string());
    assert_eq!(head.header("odata-version"), "4.0");
}

#[tokio::test]
async fn an_ip_outside_the_window_is_zero_and_an_unknown_one_is_what_the_operator_decided() {
    let zero =
        json!({"orgPrevalence": "0", "organizationPrevalence": 0, "orgFirstSeen": null, "orgLastSeen": null});
    let is_zero = |answer: &Answer| {
        let body = answer.json();
        zero.as_object().unwrap().iter().all(|(name, value)| body.get(name) == Some(value))
    };
    let app = TestApp::with("", &[("laptop", IP, "2017-08-20T00:00:00Z")]);
    let outside = app.get(&format!("{}?lookBackHours=24", path(IP))).await;
    assert!(outside.status == StatusCode::OK && is_zero(&outside), "{}", outside.text);
    let unknown = app.get(&path("10.0.0.1")).await;
    assert_eq!(unknown.error(), (404, "ResourceNotFound".to_owned()));
    assert!(unknown.message().contains("10.0.0.1"));

    let app = TestApp::with("unknown_ip = 'zero'", &[]);
    let unknown = app.get(&path("10.0.0.1")).await;
    assert!(unknown.status == StatusCode::OK && is_zero(&unknown), "{}", unknown.text);
    assert_eq!(unknown.json()["ipAddress"], "10.0.0.1");
}

#[tokio::test]
async fn the_window_moves_with_the_clock_of_the_data() {
    let app = TestApp::with("", &[("laptop", IP, NOW)]);
    let asked = format!("{}?lookBackHours=1", path(IP));
    assert_eq!(app.get(&asked).await.json()["orgPrevalence"], "1");
    app.data_clock.advance(3600);
    assert_eq!(app.get(&asked).await.json()["orgPrevalence"], "1", "the window starts on the whole minute");
    app.data_clock.advance(1);
    assert_eq!(app.get(&asked).await.json()["orgPrevalence"], "0");
    app.data_clock.advance(720 * 3600);
    assert_eq!(app.get(&path(IP)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_spelling_of_an_address_is_one_address() {
    let app = TestApp::with("", &CONNECTIONS);
    for (asked, shown) in [
        ("::ffff:10.209.67.177", IP),
        ("%3A%3affff:10.209.67.177", IP),
        ("10%2e209.67.177", IP),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001%3Adb8%3A%3A1", "2001:db8::1"),
    ] {
        let answer = app.get(&path(asked)).await;
        assert_eq!(
            (answer.status, answer.json()["ipAddress"].as_str()),
            (StatusCode::OK, Some(shown)),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused_by_name() {
    let app = TestApp::new();
    for (asked, shown) in [
        ("1.2.3", "1.2.3"),
        ("1.2.3.4%2F24", "1.2.3.4/24"),
        ("1.2.3.4:443", "1.2.3.4:443"),
        ("fe80::1%25eth0", "fe80::1%eth0"),
        ("010.1.1.1", "010.1.1.1"),
        ("0x7f.1.1.1", "0x7f.1.1.1"),
        ("2130706433", "2130706433"),
        ("example.org", "example.org"),
        ("", ""),
        ("%20", " "),
        ("1.2.3.4%00", "1.2.3.4\u{0}"),
    ] {
        let answer = app.get(&path(asked)).await;
        assert_eq!(answer.error(), (400, "InvalidIpAddress".to_owned()), "{asked}");
        assert_eq!(answer.message(), format!("IP address {shown} is invalid."), "{asked}");
    }
}

#[tokio::test]
async fn parameters_are_checked_and_never_clamped() {
    let app = TestApp::with("", &CONNECTIONS);
    for query in [
        "lookBackHours=0",
        "lookBackHours=721",
        "LookBackHours=-1",
        "lookBackHours=",
        "lookBackHours=1.5",
        "lookBackHours=48&LOOKBACKHOURS=48",
    ] {
        let answer = app.get(&format!("{}?{query}", path(IP))).await;
        assert_eq!(answer.error(), (400, "InvalidInput".to_owned()), "{query}");
        assert!(answer.message().contains("lookBackHours"));
    }
    let answer = app.get(&format!("{}?$top=1", path(IP))).await;
    assert_eq!(answer.error(), (400, "ODataError".to_owned()));
    assert_eq!(app.get(&format!("{}?other=1", path(IP))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn metadata_none_drops_the_context() {
    let app = TestApp::with("", &CONNECTIONS);
    let request = get(&path(IP))
        .header("Authorization", format!("Bearer {}", app.token(READER)))
        .header("Accept", "application/json;odata.metadata=none");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert!(answer.text.starts_with(r#"{"ipAddress":"#), "{}", answer.text);
    assert!(answer.header("content-type").contains("odata.metadata=none"));
}

#[tokio::test]
async fn the_context_follows_a_listed_host_and_no_other() {
    let urls = "public_urls = ['https://api.example.org', 'https://us.example.org:8443/defender']";
    let app = TestApp::with(urls, &CONNECTIONS);
    for (host, base) in [
        (Some("api.example.org"), "https://api.example.org"),
        (Some("API.example.org:443"), "https://api.example.org"),
        (Some("us.example.org:8443"), "https://us.example.org:8443/defender"),
        (Some("evil.example.com"), "https://api.example.org"),
        (None, "https://api.example.org"),
    ] {
        let mut request = get(&path(IP)).header("Authorization", format!("Bearer {}", app.token(READER)));
        if let Some(host) = host {
            request = request.header("Host", host);
        }
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        let context = answer.json()["@odata.context"].as_str().unwrap().to_owned();
        assert_eq!(context, format!("{base}/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats"));
    }
}

#[tokio::test]
async fn an_organization_sees_its_own_data_only() {
    let app = TestApp::with("", &CONNECTIONS);
    assert_eq!(app.get(&path(IP)).await.status, StatusCode::OK);
    let theirs = app.get_as(&app.token(FABRIKAM_READER), &path(IP)).await;
    assert_eq!(theirs.error(), (404, "ResourceNotFound".to_owned()));
}

#[tokio::test]
async fn the_permission_is_needed_and_the_missing_one_is_named() {
    let app = TestApp::with("", &CONNECTIONS);
    let answer = app.get_as(&app.token(STRANGER), &path(IP)).await;
    assert_eq!(answer.error(), (403, "Forbidden".to_owned()));
    assert_eq!(
        answer.message(),
        "Missing application roles. API required roles: Ip.Read.All, application roles: Machine.Read.All."
    );
}

#[tokio::test]
async fn checks_run_in_the_order_401_403_400_404() {
    let app = TestApp::new();
    let wrong_everything = format!("{}?lookBackHours=0", path("nonsense"));
    assert_eq!(app.get_as("nonsense", &wrong_everything).await.error().0, 401);
    assert_eq!(app.get_as(&app.token(STRANGER), &wrong_everything).await.error().0, 403);
    assert_eq!(app.get(&wrong_everything).await.error(), (400, "InvalidIpAddress".to_owned()));
    assert_eq!(app.get(&format!("{}?lookBackHours=0", path(IP))).await.error().0, 400);
    assert_eq!(app.get(&path(IP)).await.error().0, 404);
}

#[tokio::test]
async fn a_message_shows_what_was_sent_as_ip_and_not_much_more() {
    let app = TestApp::new();
    let answer = app.get(&path("%ff")).await;
    assert_eq!(answer.error(), (400, "InvalidIpAddress".to_owned()));
    assert_eq!(answer.message(), "IP address %ff is invalid.");
    let long = "7".repeat(5000);
    let cut = format!("IP address {}… is invalid.", "7".repeat(100));
    assert_eq!(app.get(&path(&long)).await.message(), cut);
    let query = app.get(&format!("{}?lookBackHours={long}&x={long}", path(IP))).await;
    let route = app.get(&format!("/{long}")).await;
    assert!(query.message().len() < 300 && route.message().len() < 300, "{}", query.message());
}

#[tokio::test]
async fn network_is_not_an_address() {
    let app = TestApp::with("", &[("laptop", "8.8.8.8", NOW)]);
    for (sent, shown) in [
        ("8.8.8.8/32", "8.8.8.8/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001%3Adb8%3A%3A/32", "2001:db8::/32"),
    ] {
        for path in [format!("/api/ips/{sent}/stats"), format!("/api/v1.0/ips/{sent}/stats")] {
            let answer = app.get(&path).await;
            assert_eq!(answer.error(), (400, "InvalidIpAddress".to_owned()), "{path}");
            let expected =
                format!("IP address {shown} is invalid. This is a network; ask for one address of it");
            assert!(answer.message().starts_with(&expected), "{path}: {}", answer.message());
            let refused = app.send(get(&path).body(Body::empty()).unwrap()).await;
            assert_eq!(refused.error(), (401, "Unauthorized".to_owned()), "{path}");
        }
    }
    let head = get("/api/ips/8.8.8.8/32/stats").method(Method::HEAD);
    let head = head.header("Authorization", format!("Bearer {}", app.token(READER)));
    assert_eq!(app.send(head.body(Body::empty()).unwrap()).await.status, StatusCode::BAD_REQUEST);
    // The message of the specification, to the letter, where the path has one segment.
    assert_eq!(app.get("/api/ips/8.8.8.8%2F32/stats").await.message(), "IP address 8.8.8.8/32 is invalid.");
    // Only an address with a length is a network.
    assert_eq!(app.get("/api/ips/nonsense/32/stats").await.message(), "IP address nonsense/32 is invalid.");
    for path in ["/api/ips/8.8.8.8/x/stats", "/api/ips/8.8.8.8/1/2/stats", "/api/ips/8.8.8.8/1000/stats"] {
        assert_eq!(app.get(path).await.error(), (404, "NotFound".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn outdated_token_names_its_roles_and_the_fix() {
    let app = TestApp::new();
    let old = app.token(STRANGER);
    let path = "/api/ips/1.2.3.4/stats";
    let missing =
        "Missing application roles. API required roles: Ip.Read.All, application roles: Machine.Read.All.";
    assert_eq!(app.get_as(&old, path).await.message(), missing);
    let file = app.folder.path().join("ipstats.toml");
    let text = fs::read_to_string(&file).unwrap();
    let permitted = text.replace("permissions = ['Machine.Read.All']", "permissions = ['Ip.Read.All']");
    assert_ne!(text, permitted);
    fs::write(&file, permitted).unwrap();
    let flags = Flags { config: Some(file), ..Flags::default() };
    app.app.reload(&Config::load_in(&flags, &Environment::default()).unwrap()).unwrap();
    let answer = app.get_as(&old, path).await;
    assert_eq!(answer.error(), (403, "Forbidden".to_owned()));
    let expected = format!(
        "{missing} The permissions of the application were changed after this token was issued: get a new token."
    );
    assert_eq!(answer.message(), expected);
}
