//! Three services of the real binary, each with its own data folder, one key and one Redis.

use super::redis::Redis;
use super::wait_until;
use crate::cli::{CONTOSO, Place};
use crate::service::Service;
use ipstats::auth::SigningKey;
use ipstats::secret::Secret;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;

struct Three {
    place: Place,
    services: Vec<Service>,
    token: String,
}

impl Three {
    /// Three services with the default limits; `settings` stand in front.
    fn start(settings: &str) -> Self {
        let place = Place::new();
        let secret = Secret::generate().unwrap();
        let config = format!(
            "{settings}\nsigning_key_file = 'signing-key.pem'\n\
             [[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n\
             [[applications]]\nname = 'soar'\nclient_id = 'aaaaaaaa-0000-4000-8000-000000000001'\n\
             organization = 'contoso'\nsecret_hash = '{}'\npermissions = ['Ip.Read.All']\n",
            secret.hash().unwrap().as_str()
        );
        place.file("ipstats.toml", config);
        write_keys(&place, &[&new_key(&place, "first")]);
        let start = |folder: &str| {
            let mut command = place.command(["serve", "--data-dir", folder]);
            command.env("IPSTATS_LOG_LEVEL", "ipstats::limit=info,warn");
            Service::start(command)
        };
        let services = ["one", "two", "three"].map(start).into_iter().collect();
        // Made elsewhere, with another data folder: the key is what they share.
        let three = Self { place, services, token: String::new() };
        Self { token: three.new_token(), ..three }
    }

    /// One call of the service with this number.
    fn status(&self, number: usize) -> String {
        let (head, _) = self.services[number % 3].get("/api/ips/10.0.0.1/stats", &self.token);
        head[9..12].to_owned()
    }

    /// Of so many calls of the services in turn, how many are admitted; the IP is not known.
    fn admitted(&self, calls: usize) -> usize {
        let statuses: Vec<_> = (0..calls).map(|number| self.status(number)).collect();
        assert!(statuses.iter().all(|status| status == "404" || status == "429"), "{statuses:?}");
        statuses.iter().filter(|status| *status == "404").count()
    }

    /// Whether each service believes `token`, and whether it knows `keys` keys.
    fn all_believe(&self, token: &str, keys: usize) -> bool {
        self.services.iter().all(|service| {
            let known = service.get("/contoso/discovery/v2.0/keys", "").1.matches("\"kid\"").count();
            known == keys && service.get("/api/ips/10.0.0.1/stats", token).0.contains(" 404 ")
        })
    }

    /// Puts other keys into the file and lets all services read it again.
    fn rotate(&self, keys: &[&str]) {
        write_keys(&self.place, keys);
        self.services.iter().for_each(|service| service.signal("HUP"));
    }

    /// Lets all services go on without a shared file, and answer 200 from then on.
    fn forget_the_file(&self) {
        let text = fs::read_to_string(self.place.path("ipstats.toml")).unwrap();
        let kept = text.lines().filter(|line| !line.starts_with("signing_key_file"));
        let text: String = kept.flat_map(|line| [line, "\n"]).collect();
        self.place.file("ipstats.toml", format!("unknown_ip = 'zero'\n{text}"));
        self.services.iter().for_each(|service| service.signal("HUP"));
    }

    fn new_token(&self) -> String {
        self.place.run(&["token", "--app", "soar"]).out.trim().to_owned()
    }

    /// What each service says when it is stopped.
    fn stop(self) -> Vec<String> {
        let stopped = self.services.into_iter().map(Service::stop);
        stopped.map(|output| String::from_utf8(output.stderr).unwrap()).collect()
    }
}

/// A key as the service makes them, in PEM.
fn new_key(place: &Place, name: &str) -> String {
    SigningKey::load_or_create(&place.path(name)).unwrap();
    fs::read_to_string(place.path(name).join("signing-key.pem")).unwrap()
}

/// The file that all services share.
fn write_keys(place: &Place, keys: &[&str]) {
    place.file("signing-key.pem", keys.concat());
    fs::set_permissions(place.path("signing-key.pem"), Permissions::from_mode(0o600)).unwrap();
}

fn settings(redis: &Redis, limit: &str) -> String {
    format!("rate_limits = ['{limit}']\nrate_limits_shared = {{ url = '{}', replicas = '3' }}", redis.url())
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn three_replicas_admit_a_hundred_calls_an_hour_together() {
    // On a busy machine a decision takes too long now and then, and a replica decides by itself.
    assert!((0..20).any(|_| admit_together()), "the replicas never counted all calls together");
}

/// Checks what three replicas admit; false where they did not count all calls together.
fn admit_together() -> bool {
    let redis = Redis::start();
    // No machine takes longer than the span for the calls.
    let three = Three::start(&settings(&redis, "100 per 01:00:00"));
    let admitted: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| three.admitted(60))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let (head, _) = three.services[2].get("/api/ips/10.0.0.1/stats", &three.token);
    let after =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
    let logs = three.stop();
    if logs.iter().any(|log| log.contains("calls cannot be counted together")) {
        return false;
    }
    assert_eq!(admitted, 100);
    let seconds: u64 = after.unwrap().parse().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
    for log in logs {
        assert!(log.contains("calls are counted together") && !log.contains("WARN"), "{log}");
    }
    true
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn a_redis_that_is_killed_and_comes_back_costs_no_answer() {
    let mut redis = Redis::start();
    let three = Three::start(&settings(&redis, "90 per 01:00:00"));
    assert_eq!(three.admitted(30), 30);
    redis.kill();
    assert_eq!(three.admitted(300), 60, "each admits thirty, ten of which it has");
    for service in &three.services {
        assert!(service.get("/readyz", "").0.contains(" 200 "), "readiness is not about Redis");
    }
    redis.begin();
    // It knows nothing of before: as soon as it is asked again, there is room for ninety.
    (0..3).for_each(|number| wait_until(|| three.status(number) == "404"));
    for log in three.stop() {
        // Each change is logged once, not each call. A busy machine has more changes than the kill.
        let [away, back] = ["calls cannot be counted together", "calls are counted together"]
            .map(|text| log.matches(text).count());
        assert!(away >= 1 && back.abs_diff(away) <= 1, "{log}");
    }
}

#[test]
fn a_key_is_replaced_without_a_refusal() {
    let three = Three::start("rate_limits = ['off']");
    let first = new_key(&three.place, "first");
    let second = new_key(&three.place, "second");
    assert!(three.all_believe(&three.token, 1));
    three.rotate(&[&first, &second]);
    wait_until(|| three.all_believe(&three.token, 2));
    three.rotate(&[&second, &first]);
    let token = three.new_token();
    assert!(three.all_believe(&token, 2), "whether or not they have read it again");
    assert!(three.all_believe(&three.token, 2));
    three.rotate(&[&second]);
    wait_until(|| three.all_believe(&token, 1));
    for service in &three.services {
        assert!(service.get("/api/ips/10.0.0.1/stats", &three.token).0.contains(" 401 "), "its key is gone");
    }
    fs::set_permissions(three.place.path("signing-key.pem"), Permissions::from_mode(0o644)).unwrap();
    let done = three.place.run(&["config", "check"]);
    assert!(done.err.contains("mode 0644") && done.err.contains("chmod 0600"), "{}", done.err);
    three.services[0].signal("HUP");
    assert!(three.all_believe(&token, 1), "what is not usable changes nothing");
    three.forget_the_file();
    for (number, service) in three.services.iter().enumerate() {
        wait_until(|| service.get("/api/ips/10.0.0.1/stats", &token).0.contains(" 200 "));
        let first = service.get("/api/ips/10.0.0.1/stats", &three.token).0;
        assert!(first.contains(" 401 "), "a withdrawn key does not come back in {number}: {first}");
    }
}
