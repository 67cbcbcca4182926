//! The OpenAPI document is true: schemathesis, which nobody here wrote, makes up requests from it, sends them to the
//! real binary with data in it, and finds nothing that the document does not say.

use crate::peer;
use crate::service::Service;
use ipstats::ingest_key::IngestKey;
use ipstats::secret::Secret;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time for all of it.
const RUN_SECONDS_MAX: u64 = 600;

/// Writes a configuration with one organization, one application with the permission, and `key`.
fn configure(folder: &Path, key: &IngestKey) {
    let (secret, key) = (Secret::generate().unwrap().hash().unwrap(), key.hash());
    let text = format!(
        "data_dir = 'data'\nrate_limits = ['off']\nlog.level = 'warn'\n\
         [[organizations]]\nid = '11111111-1111-4111-8111-111111111111'\nname = 'contoso'\n\
         [[applications]]\nname = 'reader'\nclient_id = 'aaaaaaaa-0000-4000-8000-000000000001'\n\
         organization = 'contoso'\npermissions = ['Ip.Read.All']\nsecret_hash = '{}'\n\
         [[ingest_keys]]\nname = 'sensor'\norganization = 'contoso'\nkey_hash = '{key}'\n",
        secret.as_str()
    );
    fs::write(folder.join("ipstats.toml"), text).unwrap();
}

fn ipstats(folder: &Path, command: &str) -> Command {
    let mut ipstats = Command::new(env!("CARGO_BIN_EXE_ipstats"));
    ipstats.env_clear().current_dir(folder).args([command, "--config", "ipstats.toml"]);
    ipstats
}

/// Waits for `child`, which is killed when it takes too long; whether it was content.
fn finish(mut child: Child) -> bool {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        if started.elapsed() > Duration::from_secs(RUN_SECONDS_MAX) {
            child.kill().unwrap();
            panic!("schemathesis took longer than {RUN_SECONDS_MAX} s");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs .ci/peers/schemathesis.sh"]
fn schemathesis_finds_nothing() {
    let place = peer::installed("schemathesis", "schemathesis.toml");
    let folder = tempfile::tempdir().unwrap();
    let key = IngestKey::generate().unwrap();
    configure(folder.path(), &key);
    let service = Service::start(ipstats(folder.path(), "serve"));
    let token = String::from_utf8(ipstats(folder.path(), "token").output().unwrap().stdout).unwrap();
    let now =
        String::from_utf8(Command::new("date").args(["-u", "+%FT%TZ"]).output().unwrap().stdout).unwrap();
    // The address that the document has as its example.
    let log = format!(r#"{{"device":"laptop","ip":"10.209.67.177","time":"{}"}}"#, now.trim());
    let (head, body) = service.send(&format!(
        "POST /api/ingest/ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{log}",
        key.reveal(),
        log.len(),
    ));
    assert!(head.starts_with("HTTP/1.1 200 ") && body.contains(r#""counted":1"#), "{head}\n{body}");

    // Its output goes to a file: a full pipe would stop it.
    let report = folder.path().join("report.txt");
    let child = Command::new(place.join("bin/schemathesis"))
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("http://{}/api/openapi.json", service.address))
        .current_dir(&place)
        .envs([("TOKEN", token.trim()), ("INGEST_KEY", key.reveal())])
        .stdin(Stdio::null())
        .stdout(fs::File::create(&report).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let found_nothing = finish(child);
    let report = fs::read_to_string(report).unwrap();
    assert!(found_nothing, "{report}");
    assert!(report.contains("Tested: 15"), "every operation was tested: {report}");
    let log = String::from_utf8(service.stop().stderr).unwrap();
    assert!(!log.contains(" ERROR "), "{log}");
}
