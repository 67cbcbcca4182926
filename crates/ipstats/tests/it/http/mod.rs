//! The HTTP service, without sockets: requests go into the router and answers come out.

mod attacks;
mod audit;
mod authority;
mod health;
mod hosts;
mod ingest;
mod ip_stats;
mod metrics;
mod odata;
mod openapi;
mod operator;
mod other_operations;
mod outside;
mod rate_limits;
mod routes;
mod token;
mod users;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use ipstats::auth::{Authority, LOCAL_ISSUER, SigningKey, TokenVersion};
use ipstats::clock::{Clock, ManualClock};
use ipstats::config::{Config, Environment, Flags};
use ipstats::http::{App, Entrance, router};
use ipstats::ingest_key::IngestKey;
use ipstats::secret::{Secret, SecretHash};
use ipstats::store::{Store, open_engine};
use ipstats_model::{Batch, Organization, Timestamp};
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;
use tower::ServiceExt;

const CONTOSO: &str = "11111111-1111-4111-8111-111111111111";
const FABRIKAM: &str = "22222222-2222-4222-8222-222222222222";
/// An application of contoso with the permission.
const READER: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// An application of contoso without any.
const STRANGER: &str = "aaaaaaaa-0000-4000-8000-000000000002";
/// An application of fabrikam with the permission.
const FABRIKAM_READER: &str = "aaaaaaaa-0000-4000-8000-000000000003";

/// What the clock of the data shows.
const NOW: &str = "2017-08-29T13:32:59Z";
/// What the clock of the tokens shows.
const TOKEN_NOW: &str = "2026-11-23T12:00:00Z";

const AUDIENCE: &str = "https://api.securitycenter.microsoft.com";

/// Making a key and a hash takes a while, so all tests share them.
static KEY: LazyLock<(SigningKey, String)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::load_or_create(folder.path()).unwrap();
    (key, fs::read_to_string(folder.path().join("signing-key.pem")).unwrap())
});
static SECRET: LazyLock<(String, SecretHash)> = LazyLock::new(|| {
    let secret = Secret::generate().unwrap();
    (secret.reveal().to_owned(), secret.hash().unwrap())
});

/// A key of a source of contoso, and one of fabrikam.
static KEYS: LazyLock<[IngestKey; 2]> = LazyLock::new(|| [(); 2].map(|()| IngestKey::generate().unwrap()));

struct TestApp {
    router: Entrance,
    app: Arc<App>,
    config: Config,
    token_clock: ManualClock,
    data_clock: ManualClock,
    folder: TempDir,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl TestApp {
    fn new() -> Self {
        Self::with("", &[])
    }

    /// The service with `settings` in its configuration and connections of contoso: device, IP, time.
    fn with(settings: &str, connections: &[(&str, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, settings);
        let (data_clock, token_clock) = (ManualClock::at(time(NOW)), ManualClock::at(time(TOKEN_NOW)));
        let engine = open_engine(&config, &Clock::System).unwrap();
        let mut batch = Batch::new();
        for (device, ip, at) in connections {
            batch.push(device, ip.parse().unwrap(), time(at)).unwrap();
        }
        engine.record(organization(CONTOSO), &batch, time(NOW)).unwrap();
        let (data, tokens) = (Clock::Manual(data_clock.clone()), Clock::Manual(token_clock.clone()));
        let listening = "127.0.0.1:8080".parse().unwrap();
        let app = App::new(&config, &KEY.0, Store::new(engine), listening, data, tokens).unwrap();
        let app = Arc::new(app);
        Self { router: router(Arc::clone(&app)), app, config, token_clock, data_clock, folder }
    }

    /// Goes on with other settings, as SIGHUP does.
    fn reload(&self, settings: &str) {
        self.app.reload(&config(&self.folder, settings)).unwrap();
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// A GET with the token of [`READER`].
    async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.token(READER), path).await
    }

    async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(get(path).header("Authorization", format!("Bearer {token}")).body(Body::empty()).unwrap())
            .await
    }

    /// A token of the built-in authority for the application with this client id.
    fn token(&self, client_id: &str) -> String {
        let application = self.config.applications.iter().find(|app| app.client_id.to_string() == client_id);
        let authority = Authority::new(KEY.0.clone(), LOCAL_ISSUER);
        authority.issue(application.unwrap(), TokenVersion::V1, AUDIENCE, time(TOKEN_NOW)).unwrap().text
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and error code; the error body is checked for its form.
    fn error(&self) -> (u16, String) {
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("not an error body: {body}"));
        assert_eq!(error.keys().collect::<Vec<_>>(), ["code", "message", "target"], "{body}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(error["target"].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
        assert_eq!(self.header("content-type"), "application/json; charset=utf-8");
        (self.status.as_u16(), error["code"].as_str().unwrap().to_owned())
    }

    fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

fn get(path: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::GET).uri(path)
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn organization(text: &str) -> Organization {
    text.parse().unwrap()
}

fn config(folder: &TempDir, settings: &str) -> Config {
    let hash = SECRET.1.as_str();
    let application = |name: &str, id: &str, organization: &str, permissions: &str| {
        format!(
            "[[applications]]\nname = '{name}'\nclient_id = '{id}'\norganization = '{organization}'\n\
             secret_hash = '{hash}'\npermissions = {permissions}\n"
        )
    };
    let source = |organization: &str, format: &str, key: &IngestKey| {
        let hash = key.hash();
        format!(
            "[[ingest_keys]]\nname = '{organization} zeek'\nkey_hash = '{hash}'\norganization = '{organization}'\n\
             format = '{format}'\n"
        )
    };
    let text = format!(
        "data_dir = 'data'\nelastic_version = '8.15.3'\n{settings}\n\
         [[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n\
         [[organizations]]\nid = '{FABRIKAM}'\nname = 'fabrikam'\n{}{}{}{}{}",
        application("reader", READER, "contoso", "['Machine.Read.All', 'Ip.Read.All']"),
        application("stranger", STRANGER, "contoso", "['Machine.Read.All']"),
        application("fabrikam reader", FABRIKAM_READER, "fabrikam", "['Ip.Read.All']"),
        source("contoso", "auto", &KEYS[0]),
        source("fabrikam", "zeek", &KEYS[1]),
    );
    let file = folder.path().join("ipstats.toml");
    fs::write(&file, text).unwrap();
    let flags = Flags { config: Some(file), ..Flags::default() };
    Config::load_in(&flags, &Environment::default()).unwrap()
}
