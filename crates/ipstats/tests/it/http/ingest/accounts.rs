//! What became of the records that came in under a key.

use super::*;

#[tokio::test]
async fn a_key_has_an_account_that_a_reload_keeps() {
    let app = TestApp::new();
    let statement = |name: &str| {
        let accounts = app.app.ingest_accounts();
        let (_, account) = accounts.iter().find(|(source, _)| source.name == name).unwrap();
        account.statement(ipstats::clock::Clock::System.now())
    };
    app.post_plain("ndjson", LOG).await;
    let event = format!("{{\"event\":{}}}", connection("a"));
    app.post("/services/collector", &bearer(0), "", event).await;
    app.app.reload(&app.config).unwrap();
    let told = statement("contoso zeek");
    assert_eq!(
        (told.last_minute.counted, told.last_minute.malformed, told.last_minute.outside_retention),
        (3, 2, 1)
    );
    assert_eq!(told.newest_event, Some(time("2017-08-29T13:00:00Z")));
    assert_eq!((told.trouble, statement("fabrikam zeek").last_hour.records()), (None, 0));

    app.post_plain("auto", "hello\n").await;
    assert!(statement("contoso zeek").trouble.is_some_and(|(_, trouble)| trouble.contains("hello")));
    app.post_plain("auto", LOG).await;
    assert_eq!(statement("contoso zeek").trouble, None);
}
