//! What is in `deploy/`: files that validators of others accept, settings that the service accepts, and names that fit
//! together.

use crate::cli::Place;
use crate::peer;
use ipstats::auth::SigningKey;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn manifests() -> Vec<PathBuf> {
    let files = fs::read_dir(deploy("kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

/// What a file of a ConfigMap says: the lines below `  NAME: |`, which are indented by four.
fn in_config_map(manifest: &str, name: &str) -> String {
    let head = format!("  {name}: |");
    let lines = manifest.lines().skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let text: String = lines.flat_map(|line| [line.get(4..).unwrap_or_default(), "\n"]).collect();
    assert!(!text.is_empty(), "{name} is not in the manifest");
    text
}

/// The settings of both, with where they come from.
fn settings() -> [(&'static str, String); 2] {
    [
        ("Compose", read("compose/ipstats.toml")),
        ("Kubernetes", in_config_map(&read("kubernetes/ipstats.yaml"), "ipstats.toml")),
    ]
}

fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
#[ignore = "needs .ci/peers/deploy.sh"]
fn compose_accepts_its_file_and_refuses_a_wrong_one() {
    let place = peer::place("deploy");
    let validate = |file: &Path| {
        let mut command = Command::new(place.join("venv/bin/check-jsonschema"));
        command.args(["--builtin-schema", "vendor.compose-spec"]).arg(file);
        command
    };
    succeeds(validate(&deploy("compose/compose.yaml")));
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("compose.yaml");
    fs::write(&wrong, read("compose/compose.yaml").replace("read_only: true", "readonly: true")).unwrap();
    assert!(!validate(&wrong).output().unwrap().status.success(), "the validator accepts anything");
}

#[test]
#[ignore = "needs .ci/peers/deploy.sh"]
fn kubernetes_accepts_its_manifests_and_refuses_a_wrong_one() {
    let place = peer::place("deploy");
    let validate = |files: &[PathBuf]| {
        let mut command = Command::new(place.join("venv/bin/kubernetes-validate"));
        command.arg("--strict").args(files);
        command
    };
    let said = succeeds(validate(&manifests()));
    for kind in
        ["deployment/ipstats", "statefulset/keeper", "networkpolicy/nobody", "poddisruptionbudget/ipstats"]
    {
        assert!(said.contains(kind), "{kind}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("ipstats.yaml");
    fs::write(&wrong, read("kubernetes/ipstats.yaml").replace("readinessProbe:", "readynessProbe:")).unwrap();
    assert!(!validate(&[wrong]).output().unwrap().status.success(), "the validator accepts anything");
}

#[test]
fn the_service_accepts_their_settings() {
    for (of, text) in settings() {
        let place = Place::new();
        // The secrets are elsewhere here.
        fs::create_dir(place.path("secrets")).unwrap();
        for secret in ["clickhouse-password", "valkey-password"] {
            place.file(&format!("secrets/{secret}"), "s3cret");
        }
        // What `openssl genpkey` makes, readable as far as containers have it: by owner and group.
        SigningKey::load_or_create(&place.path("made")).unwrap();
        for secret in ["signing-key", "signing-key.pem"] {
            let file = place.path("secrets").join(secret);
            fs::copy(place.path("made/signing-key.pem"), &file).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o440)).unwrap();
        }
        let text = text.replace("/run/secrets/ipstats", "secrets").replace("/run/secrets", "secrets");
        let file = place.file("deployed.toml", &text);
        let done = place.run(&["config", "check", "--config", &file]);
        assert_eq!(done.code, Some(0), "{of}: {done:?}");
        assert!(done.out.contains("1 organization") && !done.err.contains("warning"), "{of}: {done:?}");
        // As somebody does who follows the comments.
        let hash =
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$F3nMQnxfNrIIs1sHqxQm6mxUdXbQ8Az1o8VgdxTZ2uE";
        let uncommented: String = text
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|line| line.contains(" = ") || line.starts_with("[["))
                    .unwrap_or(line)
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let whole = uncommented
            .replace("$argon2id$…", hash)
            .replace("sha256:…", &format!("sha256:{}", "0f".repeat(32)));
        let file = place.file("whole.toml", whole);
        let done = place.run(&["config", "check", "--config", &file]);
        assert!(done.out.contains("1 application") && done.out.contains("1 ingest key"), "{of}: {done:?}");
    }
}

#[test]
fn compose_secrets_are_made_once_for_the_user_that_containers_run_as() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("prepare.sh");
    fs::copy(deploy("compose/prepare.sh"), &script).unwrap();
    let prepare = || {
        let mut command = Command::new("bash");
        command.arg(&script);
        command
    };
    succeeds(prepare());
    let environment = fs::read_to_string(folder.path().join(".env")).unwrap();
    let key = folder.path().join("secrets/signing-key.pem");
    let made = fs::metadata(&key).unwrap();
    for (name, id) in [("IPSTATS_UID", made.uid()), ("IPSTATS_GID", made.gid())] {
        assert!(environment.contains(&format!("{name}={id}\n")) && id != 0, "{environment}");
        assert!(read("compose/compose.yaml").contains(&format!("${{{name}:?")), "{name}");
    }
    let before = fs::read(&key).unwrap();
    SigningKey::load(&key).unwrap();
    assert!(succeeds(prepare()).contains("nothing is changed"));
    assert_eq!(fs::read(&key).unwrap(), before);
}

#[test]
fn hosts_clusters_and_secrets_are_those_that_are_declared() {
    let [(_, compose), (_, kubernetes)] = settings();
    let services = read("compose/compose.yaml");
    for (settings, cluster) in [
        (&compose, read("compose/clickhouse-cluster.xml")),
        (&kubernetes, read("kubernetes/clickhouse.yaml")),
    ] {
        let config: toml::Table = settings.parse().unwrap();
        let store = config["store"].as_table().unwrap();
        assert!(cluster.contains(&format!("<{}>", store["cluster"].as_str().unwrap())));
        for url in store["urls"].as_array().unwrap() {
            let host = url.as_str().unwrap().trim_start_matches("http://").trim_end_matches(":8123");
            assert!(cluster.contains(&format!("<host>{host}</host>")), "{host}");
        }
    }
    for line in compose.lines().chain(kubernetes.lines()).filter(|line| line.contains("_file = ")) {
        let path = line.split('"').nth(1).unwrap();
        let name = path.rsplit('/').next().unwrap();
        if path.starts_with("/run/secrets/ipstats/") {
            // Keys of the one Secret, which the README makes.
            assert!(read("README.md").contains(name), "{name} is not in the Secret of Kubernetes");
            continue;
        }
        assert!(services.contains(&format!("  {name}: {{file: ")), "{name} is no secret of Compose");
    }
    for host in ["clickhouse-1", "clickhouse-2", "keeper", "valkey", "ipstats-1", "ipstats-2", "ipstats-3"] {
        assert!(services.contains(&format!("\n  {host}:")), "{host} is no service of Compose");
    }
    // The image of the keeper makes its user the owner of one folder: the one that it keeps everything in.
    let folder = "/var/lib/clickhouse-keeper";
    assert!(services.contains(&format!("CLICKHOUSE_DATA_DIR: {folder}}}")), "the keeper cannot write");
    assert!(services.contains(&format!("- keeper:{folder}\n")), "the keeper's volume is elsewhere");
    assert_eq!(read("compose/keeper.xml").matches(&format!("_path>{folder}/")).count(), 2);
    let proxy = read("compose/nginx.conf");
    assert_eq!(proxy.matches("server ipstats-").count(), services.matches("\n  ipstats-").count());
}
