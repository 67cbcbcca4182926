//! A ClickHouse server of its own for a test: Debian's `clickhouse-server`, with little memory.

#[cfg(target_os = "linux")]
use crate::faults::Faults;
use std::fmt::Write;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(in crate::store) const PASSWORD: &str = "s3cret & more";

const START_TIME_MAX: Duration = Duration::from_mins(5);

pub(crate) struct Server {
    process: Option<Child>,
    folder: TempDir,
    http_port: u16,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Server {
    /// A server that stands alone.
    pub(crate) fn start() -> Self {
        Self::start_alone("")
    }

    /// A server that stands alone, with more settings.
    pub(in crate::store) fn start_alone(settings: &str) -> Self {
        let [http, tcp, interserver] = free_ports();
        Self::start_with(&Ports { http, tcp, interserver }, settings)
    }

    /// A server on `ports` with more settings.
    pub(in crate::store) fn start_with(ports: &Ports, settings: &str) -> Self {
        Self::start_on(ports, settings, |_| Vec::new())
    }

    /// As [`start_with`](Self::start_with), on a disk that fails as `faults` says.
    #[cfg(target_os = "linux")]
    pub(in crate::store) fn start_under(faults: &Faults, ports: &Ports, settings: &str) -> Self {
        Self::start_on(ports, settings, |data| faults.environment(data).into())
    }

    fn start_on(
        ports: &Ports,
        settings: &str,
        environment: impl FnOnce(&Path) -> Vec<(&'static str, PathBuf)>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(folder.path().join("config.xml"), configuration(&folder, ports, settings)).unwrap();
        fs::write(folder.path().join("users.xml"), users()).unwrap();
        let environment = environment(&data);
        let mut server = Self { process: None, folder, http_port: ports.http, environment };
        server.begin();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Starts it, again if it was killed; returns when it answers.
    pub(in crate::store) fn begin(&mut self) {
        let process = Command::new("clickhouse-server")
            .arg(format!("--config-file={}", self.folder.path().join("config.xml").display()))
            .current_dir(self.folder.path())
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.http_port)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            assert!(begun.elapsed() < START_TIME_MAX, "the server does not listen: {}", log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(in crate::store) fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Ends it at once, as a failing machine does.
    pub(in crate::store) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "what a server says when a test fails")]
    fn drop(&mut self) {
        if thread::panicking() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            let log = fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
            let end: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("{}, ended: {ended:?}", self.url());
            end.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
        self.kill();
    }
}

pub(in crate::store) struct Ports {
    pub(in crate::store) http: u16,
    pub(in crate::store) tcp: u16,
    pub(in crate::store) interserver: u16,
}

/// Ports that were free a moment ago, all different.
pub(in crate::store) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = std::array::from_fn::<_, N, _>(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// With a time zone that is not ours: nothing may depend on it.
fn configuration(folder: &TempDir, ports: &Ports, settings: &str) -> String {
    let path = folder.path().display();
    let Ports { http, tcp, interserver } = ports;
    format!(
        "<yandex><logger><level>warning</level><log>{path}/server.log</log><errorlog>{path}/error.log</errorlog></logger>
        <listen_host>127.0.0.1</listen_host><http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>
        <interserver_http_port>{interserver}</interserver_http_port>
        <interserver_http_host>127.0.0.1</interserver_http_host>
        <path>{path}/data/</path><tmp_path>{path}/tmp/</tmp_path><user_files_path>{path}/files/</user_files_path>
        <format_schema_path>{path}/schemas/</format_schema_path><timezone>America/New_York</timezone>
        <keep_alive_timeout>3</keep_alive_timeout><max_concurrent_queries>100</max_concurrent_queries>
        <uncompressed_cache_size>0</uncompressed_cache_size><mark_cache_size>16777216</mark_cache_size>
        <users_config>users.xml</users_config><default_profile>default</default_profile>
        <default_database>default</default_database>{settings}</yandex>"
    )
}

/// `reader` may only read.
fn users() -> String {
    let password = PASSWORD.replace('&', "&amp;");
    let mut users = String::new();
    for (name, password, profile) in
        [("default", "", "default"), ("ipstats", &password, "default"), ("reader", &password, "reading")]
    {
        let networks = "<networks><ip>127.0.0.1</ip></networks>";
        write!(
            users,
            "<{name}><password>{password}</password>{networks}<profile>{profile}</profile><quota>default</quota></{name}>"
        )
        .unwrap();
    }
    format!(
        "<yandex><profiles><default><max_memory_usage>500000000</max_memory_usage></default>\
         <reading><readonly>2</readonly></reading></profiles>\
         <users>{users}</users><quotas><default></default></quotas></yandex>"
    )
}
