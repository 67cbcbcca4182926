//! Whose certificates are believed of the server that replicas share.

use super::redis::Redis;
use crate::issued::Issued;
use crate::service::Service;
use std::fs;
use std::process::Command;

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn redis_is_trusted_by_ca_file_beside_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let issued = Issued::to(&["localhost", "127.0.0.1"]);
    let system = write("ca.crt", &issued.authority);
    let files = [write("redis.crt", &issued.certificate), write("redis.key", &issued.key)];
    write("other.crt", &Issued::to(&["other.example.org"]).authority);
    let settings = |port: u16| {
        let [certificate, key] = &files;
        let port = port.to_string();
        ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", certificate]
            .into_iter()
            .chain(["--tls-key-file", key])
            .map(str::to_owned)
            .collect()
    };
    let redis = Redis::start_with(settings);
    for (only, is_reached) in [(false, true), (true, false)] {
        let config = format!(
            "data_dir = 'data'\n[rate_limits_shared]\nurl = 'rediss://localhost:{}'\nreplicas = 2\nca_file = 'other.crt'\n\
             ca_only = {only}\n",
            redis.port
        );
        write("ipstats.toml", &config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstats"));
        command.env_clear().current_dir(folder.path()).args(["serve", "--config", "ipstats.toml"]);
        command.env("SSL_CERT_FILE", &system);
        // The service tries to reach the server before it listens.
        let printed = String::from_utf8(Service::start(command).stop().stderr).unwrap();
        let warned = printed.contains("cannot be counted together");
        assert_eq!(!warned, is_reached, "ca_only = {only}: {printed}");
    }
}
