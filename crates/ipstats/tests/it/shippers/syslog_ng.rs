//! syslog-ng follows a file and sends its lines: as they are, and to the bulk API.

use super::ZeekLog;
use crate::peer;
use crate::site::Site;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs .ci/peers/syslog-ng.sh"]
fn syslog_ng_sends_lines() {
    shipped(|port, key| {
        format!(
            r#"http(url("http://127.0.0.1:{port}/api/ingest/zeek-json") method("POST")
                 headers("Authorization: Bearer {key}")
                 body("${{MSG}}") batch-lines(50) batch-timeout(100) delimiter("\n"))"#
        )
    });
}

#[test]
#[ignore = "needs .ci/peers/syslog-ng.sh"]
fn syslog_ng_sends_to_the_bulk_api() {
    shipped(|port, key| {
        format!(
            r#"elasticsearch-http(url("http://127.0.0.1:{port}/elastic/_bulk") index("zeek") type("")
                 user("syslog-ng") password("{key}") template("${{MSG}}") batch_lines(50) batch-timeout(100))"#
        )
    });
}

/// Sends the log to a destination that is made of the service's port and the key.
fn shipped(destination: impl FnOnce(&str, &str) -> String) {
    let (peer, log) = (peer::place("syslog-ng"), ZeekLog::new());
    let site = Site::new();
    log.shipped_in_spite_of_kills(&site, |port, folder, followed| {
        command(&peer, folder, &configuration(&peer, followed, &destination(port, site.key())))
    });
}

/// syslog-ng with this configuration, and what it keeps in `folder`.
pub(super) fn command(peer: &Path, folder: &Path, configuration: &str) -> Command {
    let config = folder.join("syslog-ng.conf");
    fs::write(&config, configuration).unwrap();
    let mut command = Command::new(peer.join("usr/sbin/syslog-ng"));
    command.env("LD_LIBRARY_PATH", peer::library_path(peer));
    command.env("SYSLOGNG_PREFIX", peer.join("usr")).args(["--foreground", "--no-caps"]);
    for (option, name) in [("--persist-file", "persist"), ("--pidfile", "pid"), ("--control", "control")] {
        command.arg(option).arg(folder.join(name));
    }
    command.arg("--cfgfile").arg(config);
    command
}

/// Makes it follow a file, and send to this destination. Its library is included by its path: by name it is taken from
/// `/etc/syslog-ng`.
pub(super) fn configuration(peer: &Path, followed: &Path, destination: &str) -> String {
    let (library, followed) = (peer.join("etc/syslog-ng/scl.conf"), followed.display());
    let library = library.display();
    format!(
        r#"@version: 3.38
@include "{library}"
options {{ time-reopen(1); }};
source lines {{ file("{followed}" follow-freq(0.1) flags(no-parse)); }};
destination ipstats {{ {destination}; }};
log {{ source(lines); destination(ipstats); flags(flow-control); }};
"#
    )
}
