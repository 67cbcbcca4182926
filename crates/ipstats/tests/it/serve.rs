//! The real binary: started, asked, stopped.

use crate::service::{STATE_TIME_MAX, Service};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn ipstats(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipstats"));
    command.env_clear().env("IPSTATS_DATA_DIR", data_dir);
    command
}

fn start(data_dir: &Path) -> Service {
    start_with(data_dir, &[])
}

fn start_with(data_dir: &Path, arguments: &[&str]) -> Service {
    let mut command = ipstats(data_dir);
    command.arg("serve").args(arguments);
    Service::start(command)
}

/// A value of the first start's file.
fn first_start(data_dir: &Path, key: &str) -> String {
    let text = std::fs::read_to_string(data_dir.join("first-start.toml")).unwrap();
    let line = text.lines().find_map(|line| line.trim_start_matches("# ").strip_prefix(&format!("{key} = ")));
    line.unwrap().trim_matches('"').to_owned()
}

#[test]
fn a_service_without_configuration_answers_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let service = start(&data_dir);

    let (tenant, secret) = (first_start(&data_dir, "id"), first_start(&data_dir, "client_secret"));
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={secret}&resource=https%3A%2F%2Fapi.securitycenter.windows.com",
        first_start(&data_dir, "client_id")
    );
    let (head, body) = service.send(&format!(
        "POST /{tenant}/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    ));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}\n{body}");
    let token = serde_json::from_str::<Value>(&body).unwrap()["access_token"].as_str().unwrap().to_owned();
    let (head, body) = service.get("/api/ips/10.209.67.177/stats", &token);
    assert!(head.starts_with("HTTP/1.1 404 ") && body.contains("ResourceNotFound"), "{head}\n{body}");

    let printed = ipstats(&data_dir).arg("token").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let (head, body) = service.get("/api/ips/nonsense/stats", printed.trim());
    assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("InvalidIpAddress"), "{head}\n{body}");

    let output = service.stop();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    let target =
        serde_json::from_str::<Value>(&body).unwrap()["error"]["target"].as_str().unwrap().to_owned();
    assert!(log.contains(&target), "the error's target is in the log: {log}");
    for hidden in [secret.as_str(), &token, printed.trim()] {
        assert!(!log.contains(hidden), "secrets and tokens are not logged");
    }
}

/// A request whose head was read: the service asks for its body.
fn open_request(service: &Service, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(format!("{head}Host: x\r\nExpect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

const TOKEN_REQUEST: &str = "POST /default/oauth2/token HTTP/1.1\r\nContent-Length: 12\r\n";

#[test]
fn open_request_is_answered_before_stop() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let mut stream = open_request(&service, TOKEN_REQUEST);
    service.signal("TERM");
    wait_until(|| TcpStream::connect(&service.address).is_err());
    stream.write_all(b"grant_type=x").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("unsupported_grant_type"), "{answer:?}");
    assert_eq!(service.exit().status.code(), Some(0));
}

#[test]
fn second_signal_stops_at_once() {
    for signals in [["TERM", "TERM"], ["TERM", "INT"], ["INT", "INT"]] {
        let folder = tempfile::tempdir().unwrap();
        let service = start(folder.path());
        let _unfinished = open_request(&service, TOKEN_REQUEST);
        service.signal(signals[0]);
        // Until then the first signal may not have arrived, and two of one kind would be one.
        wait_until(|| TcpStream::connect(&service.address).is_err());
        service.signal(signals[1]);
        let output = service.exit();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{log}");
        assert!(log.contains("not finished: 1 request, closing the store. Acknowledged records"), "{log}");
        assert!(!log.contains("took too long"), "{log}");
        // What is left opens again.
        assert_eq!(start(folder.path()).stop().status.code(), Some(0));
    }
}

#[test]
fn a_port_in_use_is_one_clear_message() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = ipstats(folder.path()).args(["serve", "--listen", &address]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains(&address) && message.contains("--listen"), "{message}");
}

#[test]
fn a_configuration_is_read_again_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstats.toml");
    std::fs::write(&file, "unknown_ip = 'not_found'").unwrap();
    let mut command = ipstats(folder.path());
    let printed = command.args(["token", "--app", "default"]).output().unwrap();
    let token = String::from_utf8(printed.stdout).unwrap().trim().to_owned();
    let service = start_with(folder.path(), &["--config", file.to_str().unwrap()]);
    let status = |service: &Service| service.get("/api/ips/1.2.3.4/stats", &token).0[9..12].to_owned();
    assert_eq!(status(&service), "404");
    std::fs::write(&file, "unknown_ip = 'zero'").unwrap();
    service.signal("HUP");
    wait_until(|| status(&service) == "200");

    std::fs::write(&file, "unknown_ip = 'nonsense'").unwrap();
    service.signal("HUP");
    service.wait_for_log("stays as it was", 1);
    assert_eq!(status(&service), "200", "an unusable configuration changes nothing");
    let log = String::from_utf8(service.stop().stderr).unwrap();
    assert!(log.contains("stays as it was") && log.contains("nonsense"), "{log}");
}

#[test]
fn bad_usage_is_exit_code_2_and_a_failure_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| ipstats(folder.path()).args(arguments).output().unwrap().status.code();
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["serve", "--port", "1"]), Some(2));
    assert_eq!(code(&["serve", "--as-of", "yesterday"]), Some(2));
    assert_eq!(code(&["config", "check"]), Some(0));
    assert_eq!(code(&["config", "check", "--config", "/nowhere.toml"]), Some(1));
    assert_eq!(code(&["token", "--app", "nobody"]), Some(1));
}

#[test]
fn a_token_of_one_application_among_several_needs_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let hash = ipstats::secret::Secret::generate().unwrap().hash().unwrap();
    let application = |number: u8| {
        format!(
            "[[applications]]\nname = 'app-{number}'\nclient_id = 'aaaaaaaa-0000-4000-8000-00000000000{number}'\n\
             organization = 'contoso'\nsecret_hash = '{}'\n",
            hash.as_str()
        )
    };
    let organization = "[[organizations]]\nid = '11111111-1111-4111-8111-111111111111'\nname = 'contoso'\n";
    let file = folder.path().join("ipstats.toml");
    let token = |applications: &[String], arguments: &[&str]| {
        std::fs::write(&file, [organization, &applications.concat()].concat()).unwrap();
        let mut command = ipstats(folder.path());
        let output = command.args(["token", "--config"]).arg(&file).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let both = [application(1), application(2)];
    let (code, message) = token(&both, &[]);
    assert_eq!(
        (code, message.as_str()),
        (Some(2), "error: name the application with --app; known: app-1, app-2\n")
    );
    assert_eq!(token(&both, &["--app", "app-2"]), (Some(0), String::new()));
    assert_eq!(token(&both[..1], &[]), (Some(0), String::new()));
    let (code, message) = token(&[], &[]);
    assert!(code == Some(2) && message.contains("[[applications]]"), "{message}");
}

#[test]
fn the_address_listened_on_is_printed_beside_the_public_url() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstats.toml");
    std::fs::write(&file, "public_urls = ['https://ipstats.example']").unwrap();
    let service = start_with(folder.path(), &["--config", file.to_str().unwrap()]);
    assert!(service.printed.ends_with(", public URL https://ipstats.example\n"), "{}", service.printed);
    let (head, _) = service.get("/healthz", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    service.stop();

    let service = start(folder.path());
    assert!(!service.printed.contains("public URL"), "{}", service.printed);
    let log = String::from_utf8(service.stop().stderr).unwrap();
    let secret = first_start(folder.path(), "client_secret");
    assert!(!log.contains(&secret), "{log}");
}

#[test]
fn a_new_secret_matches_the_hash_printed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = ipstats(folder.path()).arg("secret").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let hash: ipstats::secret::SecretHash = value("secret_hash").parse().unwrap();
    assert!(hash.verify(&value("secret ").into()));
}

#[test]
fn a_json_log_is_one_object_a_line_with_the_target_of_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstats.toml");
    std::fs::write(&file, "[log]\nformat = 'json'").unwrap();
    let service = start_with(folder.path(), &["--config", file.to_str().unwrap()]);
    let (_, body) = service.get("/api/ips/1.2.3.4/stats", "nonsense");
    let log = String::from_utf8(service.stop().stderr).unwrap();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let target = &serde_json::from_str::<Value>(&body).unwrap()["error"]["target"];
    let event = events.iter().find(|event| event["target"] == *target).unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&event["status"], &event["code"]), (&Value::from(401), &Value::from("Unauthorized")));
    assert_eq!(event["path"], "/api/ips/1.2.3.4/stats");
}

fn wait_until(happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < STATE_TIME_MAX, "it does not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_audit_log_goes_on_in_a_new_file_after_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let [file, log, old] = ["ipstats.toml", "audit.log", "audit.log.1"].map(|name| folder.path().join(name));
    std::fs::write(&file, "audit_log = 'audit.log'").unwrap();
    let service = start_with(folder.path(), &["--config", file.to_str().unwrap()]);
    let ask = |path: &str| assert!(service.get(path, "nonsense").0.contains(" 401 "));
    ask("/api/ips/192.0.2.1/stats");
    wait_until(|| std::fs::metadata(&log).is_ok_and(|log| log.len() > 0));
    std::fs::rename(&log, &old).unwrap();
    service.signal("HUP");
    wait_until(|| log.exists());
    ask("/api/ips/192.0.2.2/stats");
    assert_eq!(service.stop().status.code(), Some(0));
    let asked = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["ip"].clone(), line["client"].clone())).collect::<Vec<_>>()
    };
    let line = |ip: &str| (Value::from(ip), Value::from("127.0.0.1"));
    let all = [asked(&old), asked(&log)].concat();
    assert_eq!(
        all,
        [line("192.0.2.1"), line("192.0.2.2")],
        "nothing is lost, and the last line is written at the end"
    );
    assert_eq!(asked(&log), [line("192.0.2.2")]);
}

#[test]
fn an_audit_log_that_cannot_be_written_is_one_clear_message() {
    let folder = tempfile::tempdir().unwrap();
    let output = ipstats(folder.path())
        .env("IPSTATS_AUDIT_LOG", "/nowhere/audit.log")
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("audit_log: cannot write to /nowhere/audit.log"), "{message}");
}

#[test]
fn a_reload_names_what_takes_a_restart_and_each_problem_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstats.toml");
    std::fs::write(&file, "").unwrap();
    let service = start_with(folder.path(), &["--config", file.to_str().unwrap()]);
    let reload = |text: &str, logged: &str, count: usize| {
        std::fs::write(&file, text).unwrap();
        service.signal("HUP");
        service.wait_for_log(logged, count);
    };
    let (read, refused) = ("the configuration was read again", "the configuration stays as it was");
    reload("memory = '512 MiB'\nmetrics_listen = '127.0.0.1:1'\nunknown_ip = 'zero'", read, 1);
    reload("unknown_ip = 'some'\nrate_limits = ['often']", refused, 1);
    reload("audit_log = '/nowhere/audit.log'\nunknown_ip = 'not_found'", refused, 2);
    let token = ipstats(folder.path()).arg("token").output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap();
    let (head, body) = service.get("/api/ips/1.2.3.4/stats", token.trim());
    assert!(head.contains(" 200 "), "the first of the three is in force: {head} {body}");
    let log = String::from_utf8(service.stop().stderr).unwrap();
    for told in [
        "this setting was changed; it takes a restart setting=\"memory\"",
        "this setting was changed; it takes a restart setting=\"metrics_listen\"",
        "ipstats.toml:1:14: unknown_ip: \"some\" is not one of not_found, zero",
        "ipstats.toml:2:16: rate_limits: \"often\" is not a limit such as 100 per 00:01:00",
        "audit_log: cannot write to /nowhere/audit.log",
    ] {
        assert!(log.contains(told), "{told} in {log}");
    }
    assert_eq!(log.matches("the configuration stays as it was").count(), 2, "{log}");
}

#[test]
fn calls_stay_counted_across_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstats.toml");
    std::fs::write(&file, "rate_limits = ['2 per 01:00:00']").unwrap();
    let service = start_with(folder.path(), &["--config", file.to_str().unwrap()]);
    let token = String::from_utf8(ipstats(folder.path()).arg("token").output().unwrap().stdout).unwrap();
    let status = || service.get("/api/ips/1.2.3.4/stats", token.trim()).0[9..12].to_owned();
    assert_eq!([status(), status(), status()], ["404", "404", "429"]);
    std::fs::write(&file, "rate_limits = ['3 per 01:00:00']").unwrap();
    service.signal("HUP");
    wait_until(|| status() == "404");
    assert_eq!(status(), "429", "one more, and not three");
}

#[test]
fn systemd_is_told_when_the_service_is_ready_reloads_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(STATE_TIME_MAX)).unwrap();
    let next = || {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut command = ipstats(folder.path());
    command.env("NOTIFY_SOCKET", &path).arg("serve");
    let service = Service::start(command);
    assert_eq!(next().trim(), "READY=1");
    service.signal("HUP");
    let reloading = next();
    assert!(reloading.contains("RELOADING=1\nMONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(next().trim(), "READY=1");
    service.signal("TERM");
    assert_eq!(next().trim(), "STOPPING=1");
    assert_eq!(service.exit().status.code(), Some(0));
}
