//! Limiters of several replicas over one server that is there, slow, gone and back.

use super::redis::{PATIENT, Redis};
use super::{key, limits};
use ipstats::config::{Config, Environment, Flags, RedisTimeLimits, SharedLimits};
use ipstats::limit::{Decision, Limiter, retry_after_seconds};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A replica that looks after its connection until it is dropped.
struct Replica {
    limiter: Arc<Limiter>,
    keeping: tokio::task::JoinHandle<()>,
}

impl Replica {
    async fn start(texts: &[&str], shared: &SharedLimits) -> Self {
        let limiter = Arc::new(Limiter::new(&limits(texts), Some(shared)));
        limiter.reach().await;
        let keeping = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.keep().await }
        });
        Self { limiter, keeping }
    }

    /// Of so many calls, how many are admitted.
    async fn admitted(&self, application: &str, calls: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..calls {
            let decision = self.limiter.decide(key(application), now()).await.unwrap();
            admitted += usize::from(decision == Decision::Admitted);
        }
        admitted
    }

    async fn becomes(&self, is_shared: bool) {
        let begun = Instant::now();
        while self.limiter.is_shared_now() != Some(is_shared) {
            assert!(begun.elapsed() < super::WAIT_MAX, "shared: {is_shared}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

fn now() -> Duration {
    ipstats::clock::Clock::System.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs .ci/peers/redis.sh"]
async fn many_tasks_of_three_replicas_are_admitted_exactly_as_often_as_one() {
    let redis = Redis::start();
    let mut calls = tokio::task::JoinSet::new();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::start(&["100 per 01:00:00", "1500 per 02:00:00"], &redis.shared()).await);
    }
    for number in 0..600 {
        let limiter = Arc::clone(&replicas[number % 3].limiter);
        calls.spawn(async move { limiter.decide(key("soar"), now()).await.unwrap() });
    }
    let decisions = calls.join_all().await;
    assert!(replicas.iter().all(|replica| replica.limiter.is_shared_now() == Some(true)));
    assert_eq!(decisions.iter().filter(|decision| **decision == Decision::Admitted).count(), 100);
    assert_eq!(replicas[0].admitted("sentinel", 101).await, 100, "another caller has a quota of its own");
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn a_call_after_retry_after_is_admitted_by_any_replica() {
    let redis = Redis::start();
    let one = Replica::start(&["2 per 00:00:02"], &redis.shared()).await;
    let other = Replica::start(&["2 per 00:00:02"], &redis.shared()).await;
    let applications: Vec<_> = (0..100).map(|number| format!("soar-{number}")).collect();
    for application in &applications {
        let before = now();
        assert_eq!(one.admitted(application, 2).await, 2);
        let decision = other.limiter.decide(key(application), now()).await.unwrap();
        let Decision::Refused { limit, free_at, pause } = decision else {
            // The span passed before the third call, on a busy machine.
            assert!(now() >= before + Duration::from_secs(2), "admitted within the span");
            continue;
        };
        assert_eq!((limit.to_string().as_str(), pause), ("2 per 00:00:02", Duration::ZERO));
        // A call counts from the end of its millisecond on.
        assert!(free_at >= before + Duration::from_millis(1990), "{free_at:?}, called after {before:?}");
        assert!(retry_after_seconds(free_at, now()) <= 3);
        tokio::time::sleep(free_at.saturating_sub(now())).await;
        assert_eq!(other.admitted(application, 1).await, 1);
        return;
    }
    panic!("no application called three times within two seconds");
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn without_the_server_each_replica_admits_its_part_and_with_it_again_the_whole() {
    let mut redis = Redis::start();
    let shared = redis.shared();
    redis.kill();
    let one = Replica::start(&["100 per 01:00:00"], &shared).await;
    let other = Replica::start(&["100 per 01:00:00"], &shared).await;
    assert_eq!(one.limiter.is_shared_now(), Some(false));
    assert_eq!((one.admitted("soar", 100).await, other.admitted("soar", 100).await), (33, 33));
    redis.begin();
    one.becomes(true).await;
    other.becomes(true).await;
    assert_eq!(one.admitted("sentinel", 40).await, 40);
    redis.kill();
    assert_eq!(one.admitted("sentinel", 100).await, 0, "it has admitted more than its part");
    assert_eq!(other.admitted("sentinel", 100).await, 33);
    assert_eq!(one.limiter.is_shared_now(), Some(false));
    redis.begin();
    one.becomes(true).await;
    assert_eq!(one.admitted("xsoar", 101).await, 100);
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn a_server_that_hangs_is_waited_for_once() {
    let redis = Redis::start();
    let hasty = SharedLimits { time_limits: RedisTimeLimits::default(), ..redis.shared() };
    let replica = Replica::start(&["9 per 01:00:00"], &hasty).await;
    assert_eq!(replica.admitted("soar", 1).await, 1);
    redis.signal("STOP");
    // The server answers only after the test lets it, so the replica's time limit ends this.
    assert_eq!(replica.admitted("soar", 1).await, 1, "of its part of three");
    assert_eq!(replica.limiter.is_shared_now(), Some(false));
    assert_eq!(replica.admitted("soar", 100).await, 1);
    redis.signal("CONT");
    replica.becomes(true).await;
    // Within the time limit of a decision, which a busy machine exceeds now and then.
    let mut is_whole = false;
    for number in 0..50 {
        is_whole |= !is_whole && replica.admitted(&format!("sentinel-{number}"), 10).await == 9;
    }
    assert!(is_whole, "the whole limit is admitted again");
    // Calls after the first did not ask: the server counts what reached it while it hung, which is one call at most.
    let other = Replica::start(&["9 per 01:00:00"], &redis.shared()).await;
    assert!(other.admitted("soar", 9).await >= 7);
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn a_server_that_cannot_count_is_away() {
    let settings = |port: u16| ["--port", &port.to_string(), "--maxmemory", "1"].map(str::to_owned).to_vec();
    let redis = Redis::start_with(settings);
    let replica = Replica::start(&["9 per 01:00:00"], &redis.shared()).await;
    assert_eq!(replica.limiter.is_shared_now(), Some(false), "there is no memory for a single call");
    assert_eq!(replica.admitted("soar", 10).await, 3);
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn other_limits_are_known_to_know_what_was_called() {
    let redis = Redis::start();
    let replica = Replica::start(&["100 per 01:00:00"], &redis.shared()).await;
    assert_eq!(replica.admitted("soar", 101).await, 100);
    replica.limiter.set_limits(&limits(&["110 per 02:00:00"]));
    assert_eq!(replica.admitted("soar", 100).await, 10);
    replica.limiter.set_limits(&[]);
    assert_eq!(replica.admitted("soar", 100).await, 100);
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn a_user_with_no_more_rights_than_documented_counts_and_a_wrong_password_is_not_told() {
    let docs = include_str!("../../../../../docs/scaling.md");
    let commands = docs.split('`').find(|part| part.starts_with("+evalsha")).unwrap();
    let connecting = docs.split('`').find(|part| part.starts_with("+hello")).unwrap();
    let redis = Redis::start();
    let rules = format!("on >s3cret~word ~ipstats:* {commands} {connecting}");
    let mut call = ::redis::cmd("ACL");
    call.arg("SETUSER").arg("ipstats");
    rules.split_whitespace().for_each(|rule| {
        call.arg(rule);
    });
    let () = call.query(&mut redis.connection()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("redis.secret");
    let login = |password: &str| {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let url = redis.url();
        let settings = format!(
            "rate_limits_shared = {{ url = '{url}', username = 'ipstats', password_file = 'redis.secret', replicas = '3' }}"
        );
        std::fs::write(folder.path().join("ipstats.toml"), settings).unwrap();
        let flags = Flags { config: Some(folder.path().join("ipstats.toml")), ..Flags::default() };
        let shared = Config::load_in(&flags, &Environment::default()).unwrap().rate_limits_shared.unwrap();
        SharedLimits { time_limits: PATIENT, ..shared }
    };
    let replica = Replica::start(&["9 per 01:00:00"], &login("s3cret~word")).await;
    assert_eq!(replica.limiter.is_shared_now(), Some(true));
    assert_eq!(replica.admitted("soar", 10).await, 9);
    replica.limiter.set_limits(&limits(&["11 per 02:00:00"]));
    assert_eq!(replica.admitted("soar", 10).await, 2, "and lets new limits begin with what was counted");
    let other = Replica::start(&["9 per 01:00:00"], &login("wrong")).await;
    assert_eq!(other.limiter.is_shared_now(), Some(false));
    // The file is read again for each connection.
    login("s3cret~word");
    other.becomes(true).await;
}

#[tokio::test]
#[ignore = "needs .ci/peers/redis.sh"]
async fn tls_is_spoken_with_a_server_whose_authority_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["redis.crt", "redis.key"].map(|name| folder.path().join(name));
    let pair = rcgen::KeyPair::generate().unwrap();
    let own =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    std::fs::write(&certificate, own.pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let settings = |port: u16| {
        let (port, files) = (port.to_string(), [&certificate, &key].map(|file| file.display().to_string()));
        let settings =
            ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"].map(str::to_owned).to_vec();
        let files = ["--tls-cert-file", &files[0], "--tls-key-file", &files[1]].map(str::to_owned);
        settings.into_iter().chain(files).collect()
    };
    let redis = Redis::start_with(settings);
    let shared = |ca_file| {
        let url = format!("rediss://localhost:{}", redis.port).parse().unwrap();
        SharedLimits { url, ca_file, ..redis.shared() }
    };
    let trusting = Replica::start(&["9 per 01:00:00"], &shared(Some(certificate.clone()))).await;
    assert_eq!(trusting.limiter.is_shared_now(), Some(true));
    assert_eq!(trusting.admitted("soar", 10).await, 9);
    let other = Replica::start(&["9 per 01:00:00"], &shared(None)).await;
    assert_eq!(other.limiter.is_shared_now(), Some(false), "the system trusts nobody who vouches for it");
}
