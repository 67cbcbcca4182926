//! One request through everything but sockets: routing, token, quota, lookup, JSON, metrics and audit log.
#![expect(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and its macro documents nothing"
)]

use axum::body::Body;
use axum::http::Request;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ipstats::auth::{Authority, LOCAL_ISSUER, SigningKey, TokenVersion};
use ipstats::clock::Clock;
use ipstats::config::{Config, Environment, Flags};
use ipstats::http::{App, Entrance, router};
use ipstats::secret::Secret;
use ipstats::store::{Store, open_engine};
use ipstats_model::Batch;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

struct Service {
    entrance: Entrance,
    /// The value of an `Authorization` header.
    authorization: String,
    _folder: TempDir,
}

impl Service {
    /// A service with a limit and one address that 1000 devices contacted.
    fn with(limit: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hash = Secret::generate().unwrap().hash().unwrap();
        let text = format!(
            "data_dir = 'data'\naudit_log = 'audit.log'\nrate_limits = ['{limit}']\n\
             [[organizations]]\nid = '11111111-1111-4111-8111-111111111111'\nname = 'contoso'\n\
             [[applications]]\nname = 'soar'\nclient_id = 'aaaaaaaa-0000-4000-8000-000000000001'\n\
             organization = 'contoso'\nsecret_hash = '{}'\npermissions = ['Ip.Read.All']\n",
            hash.as_str()
        );
        fs::write(folder.path().join("ipstats.toml"), text).unwrap();
        let flags = Flags { config: Some(folder.path().join("ipstats.toml")), ..Flags::default() };
        let config = Config::load_in(&flags, &Environment::default()).unwrap();
        let engine = open_engine(&config, &Clock::System).unwrap();
        let (organization, now) = (config.organizations[0].id, Clock::System.now());
        let mut batch = Batch::new();
        for device in 0..1000 {
            batch.push(&format!("device-{device}"), "10.209.67.177".parse().unwrap(), now).unwrap();
        }
        engine.record(organization, &batch, now).unwrap();
        engine.flush().unwrap();
        let key = SigningKey::load_or_create(&config.data_dir).unwrap();
        let authority = Authority::new(key.clone(), LOCAL_ISSUER);
        let token = authority.issue(&config.applications[0], TokenVersion::V1, &config.audiences[0], now);
        let (store, address) = (Arc::new(Store::new(engine)), "127.0.0.1:8080".parse().unwrap());
        let app = App::new(&config, &key, store, address, Clock::System, Clock::System).unwrap();
        Self {
            entrance: router(Arc::new(app)),
            authorization: format!("Bearer {}", token.unwrap().text),
            _folder: folder,
        }
    }

    fn question(&self) -> Request<Body> {
        let request = Request::get("/api/ips/10.209.67.177/stats?lookBackHours=48");
        request.header("Authorization", &self.authorization).body(Body::empty()).unwrap()
    }
}

fn answering(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("one request");
    group.throughput(Throughput::Elements(1));
    let service = Service::with("1000000000 per 01:00:00");
    group.bench_function("answered", |bencher| {
        bencher.iter_batched(
            || (service.entrance.clone(), service.question()),
            |(entrance, question)| {
                let response = runtime.block_on(entrance.oneshot(question)).unwrap();
                assert_eq!(response.status(), 200);
                response
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, answering);
criterion_main!(benches);
