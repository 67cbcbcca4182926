//! `/healthz` and `/readyz`.

use super::*;

#[tokio::test]
async fn a_service_is_alive_and_ready_without_a_token() {
    let app = TestApp::new();
    for path in ["/healthz", "/readyz"] {
        let answer = app.send(get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_closing_service_is_alive_but_not_ready_and_answers_503() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, "");
    let engine = open_engine(&config, &Clock::System).unwrap();
    let clock = Clock::Pinned(time(TOKEN_NOW));
    let listening = "127.0.0.1:8080".parse().unwrap();
    let app = App::new(&config, &KEY.0, Store::new(engine), listening, clock.clone(), clock).unwrap();
    let app = Arc::new(app);
    let clock = ManualClock::at(time(TOKEN_NOW));
    let router = router(Arc::clone(&app));
    let test = TestApp {
        router,
        app: Arc::clone(&app),
        config,
        token_clock: clock.clone(),
        data_clock: clock,
        folder,
    };

    app.begin_closing();
    let ready = test.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.text.as_str()), (503, r#"{"status":"closing"}"#));
    assert_eq!(test.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(test.get("/api/ips/1.2.3.4/stats").await.error().0, 404, "what was begun is finished");

    app.close().await.unwrap();
    let answer = test.get("/api/ips/1.2.3.4/stats").await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), "1");
}
