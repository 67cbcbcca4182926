//! The arrows inside the crate (ARCHITECTURE.md): who may name whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every source file of the crate with its path below `src`, comments left out.
fn sources() -> Vec<(String, String)> {
    let files = sources_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 20, "the sources are found: {}", files.len());
    files
}

fn sources_below(root: &Path) -> Vec<(String, String)> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.push((name, code(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    files
}

fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether `text` has `path` in it, as a whole: `crate::ingest` is not in `crate::ingest_key`.
fn names(text: &str, path: &str) -> bool {
    let in_name = |character: char| character.is_alphanumeric() || character == '_';
    let goes_on = |rest: &str| path.ends_with(in_name) && rest.starts_with(in_name);
    text.match_indices(path).any(|(start, _)| !goes_on(&text[start + path.len()..]))
}

/// Asserts that only files below one of `allowed` contain any of `words`.
fn only(allowed: &[&str], words: &[&str]) {
    let mut found = false;
    for (name, text) in sources() {
        for word in words.iter().filter(|word| text.contains(**word)) {
            found = true;
            assert!(allowed.iter().any(|place| name.starts_with(place)), "{name} may not name {word}");
        }
    }
    assert!(found, "nothing names {words:?}: this rule guards nothing");
}

/// Asserts that files below `place` contain none of `words`.
fn never(place: &str, words: &[&str]) {
    let files: Vec<_> = sources().into_iter().filter(|(name, _)| name.starts_with(place)).collect();
    assert!(!files.is_empty(), "there is nothing below {place}: this rule guards nothing");
    for (name, text) in files {
        for word in words {
            assert!(!names(&text, word), "{name} may not name {word}");
        }
    }
}

#[test]
fn only_http_names_axum() {
    only(&["http/"], &["axum", "hyper", "tower"]);
}

#[test]
fn only_http_and_the_answer_describe_themselves() {
    only(&["http/", "answer.rs"], &["utoipa"]);
}

#[test]
fn only_borders_speak_tls_and_clients_know_its_errors() {
    only(
        &[
            "http/",
            "client/error.rs",
            "limit/shared/server.rs",
            "sources/kafka/access.rs",
            "sources/kafka/connection.rs",
        ],
        &["tokio_rustls"],
    );
}

#[test]
fn only_kafka_sources_decode_record_batches() {
    only(&["sources/kafka/"], &["crc32c", "lz4_flex", "snap::"]);
}

#[test]
fn only_the_backend_of_clickhouse_speaks_to_it() {
    only(&["store/clickhouse/"], &["X-ClickHouse"]);
}

#[test]
fn only_limits_that_are_shared_speak_to_redis() {
    only(&["limit/shared/"], &["redis::"]);
}

#[test]
fn only_the_store_knows_its_engine() {
    only(&["store/", "config/values.rs"], &["ipstats_engine"]);
}

#[test]
fn only_logs_of_opentelemetry_are_protobuf() {
    only(&["http/ingest/otlp/", "ingest/envelope/otlp/"], &["prost"]);
}

#[test]
fn only_what_asks_other_servers_names_reqwest() {
    only(&["client/", "auth/", "config/issuer_keys.rs", "store/clickhouse/"], &["reqwest"]);
}

#[test]
fn only_config_reads_the_environment() {
    only(&["config/"], &["env::var", "env::vars"]);
}

#[test]
fn only_the_clock_reads_time() {
    only(&["clock.rs"], &["SystemTime"]);
}

#[test]
fn only_the_command_line_writes_to_the_terminal() {
    only(&["cli/", "audit/output.rs"], &["stdout()"]);
}

/// An enum's variants are listed by `strum`: a list kept by hand forgets a new one, and its records are counted nowhere.
#[test]
fn lists_of_variants_are_derived() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let is_list = |line: &&str| line.contains("const ALL:") && !line.contains("VARIANTS");
    let mut derived = 0;
    for name in ["ipstats", "ipstats-engine", "ipstats-formats", "ipstats-model"] {
        for (file, text) in sources_below(&crates.join(name).join("src")) {
            assert_eq!(text.lines().find(is_list), None, "{name}: {file} keeps a list of variants by hand");
            derived += text.matches("VARIANTS.first_chunk()").count();
        }
    }
    assert!(derived >= 4, "the lists are found: {derived}");
}

/// A test that lacks its peer must be reported as ignored, with the script that installs it: the runner captures all else.
#[test]
fn ignored_tests_name_their_peer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = fs::read_dir(root.join("../../.ci/peers")).unwrap().map(|entry| entry.unwrap().path());
    let scripts: BTreeSet<String> =
        scripts.map(|path| format!(".ci/peers/{}", path.file_name().unwrap().display())).collect();
    let mut named = BTreeSet::new();
    for (file, text) in sources_below(&root.join("tests/it")) {
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("#[ignore")) {
            let reason = line.strip_prefix("#[ignore = \"needs ").unwrap_or_else(|| panic!("{file}: {line}"));
            let script = reason.trim_end_matches("\"]");
            assert!(!script.starts_with(".ci/") || scripts.contains(script), "{file}: there is no {script}");
            named.insert(script.to_owned());
        }
    }
    assert_eq!(scripts.difference(&named).collect::<Vec<_>>(), [""; 0], "no test needs these peers");
}

/// The modules between which there are arrows.
const MODULES: [&str; 11] =
    ["audit", "auth", "cli", "client", "copy", "http", "ingest", "limit", "metrics", "sources", "store"];

/// Asserts that files below `place` name no module but their own and those `allowed`.
fn may_use(place: &str, allowed: &[&str]) {
    let is_forbidden = |module: &&&str| !allowed.contains(module) && place.trim_end_matches('/') != **module;
    let forbidden: Vec<_> =
        MODULES.iter().filter(is_forbidden).map(|module| format!("crate::{module}")).collect();
    never(place, &forbidden.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_arrows_point_down() {
    for place in ["clock.rs", "ingest_key.rs", "numbers.rs", "operation.rs", "private_file.rs", "secret.rs"] {
        never(place, &["crate::"]);
    }
    for place in ["answer.rs", "auth/", "client/", "config/", "limit/", "store/", "telemetry.rs"] {
        may_use(place, &[]);
    }
    may_use("audit/", &["auth"]);
    may_use("metrics/", &["audit", "auth", "sources", "store"]);
    may_use("ingest/", &["store"]);
    may_use("copy/", &["client", "store"]);
    may_use("sources/", &["ingest", "store"]);
    may_use("http/", &["audit", "auth", "copy", "ingest", "limit", "metrics", "sources", "store"]);
}
