//! Programs that send syslog: util-linux's logger, rsyslog and syslog-ng, by TCP and UDP, as docs/sources.md has it.

use super::{Shipper, ZeekLog, rsyslog, syslog_ng};
use crate::listen::Post;
use crate::peer;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Where a program reads the log while it grows.
#[derive(Clone, Copy)]
enum Reads {
    File,
    Input,
}

/// Lets a program send the log by `transport`. `shipper` makes its command, of the port, a folder of its own and the file.
fn sent(transport: &str, reads: Reads, shipper: impl FnOnce(u16, &Path, &Path) -> Command) {
    let log = ZeekLog::new();
    let post = Post::new("syslog", &[transport], "format = 'zeek'\n");
    let folder = post.site.place.path("shipper");
    fs::create_dir(&folder).unwrap();
    let (followed, told) = (folder.join("conn.log"), folder.join("told"));
    fs::write(&followed, "").unwrap();
    let service = log.serve(&post.site, "127.0.0.1:0");
    Post::wait(|| post.is_listening(), "nobody listens");
    let output = File::create(&told).unwrap();
    let mut command = shipper(post.port, &folder, &followed);
    command.stdin(Stdio::piped()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut shipper = Shipper(command.spawn().unwrap());
    let mut input = shipper.0.stdin.take().unwrap();
    match reads {
        Reads::File => log.grow(&followed),
        Reads::Input => {
            for line in fs::read_to_string(&log.path).unwrap().lines() {
                writeln!(input, "{line}").unwrap();
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
    drop(input);
    log.wait(&service, &post.site, &told);
    assert_eq!(service.stop().status.code(), Some(0));
    assert_eq!(log.stored(&post.site.place), log.imported());
}

/// logger of util-linux, which is a part of every Debian.
fn sent_by_logger(transport: &str, options: &[&str]) {
    let version = Command::new("logger").arg("--version").output();
    let is_of_util_linux =
        version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("util-linux"));
    assert!(is_of_util_linux, "there is no logger of util-linux: install Debian's package bsdutils");
    sent(transport, Reads::Input, |port, _, _| {
        let mut command = Command::new("logger");
        let port = port.to_string();
        command.args(["--server", "127.0.0.1", "--port", &port, "--size", "262144", "--tag", "zeek"]);
        command.args(options);
        command
    });
}

#[test]
#[ignore = "needs the logger of util-linux"]
fn logger_by_tcp() {
    sent_by_logger("tcp", &["--tcp", "--octet-count"]);
}

#[test]
#[ignore = "needs the logger of util-linux"]
fn logger_by_tcp_with_headers_of_rfc_3164() {
    sent_by_logger("tcp", &["--tcp", "--rfc3164"]);
}

#[test]
#[ignore = "needs the logger of util-linux"]
fn logger_by_udp() {
    sent_by_logger("udp", &["--udp"]);
}

fn sent_by_rsyslog(transport: &str, options: &str) {
    let peer = peer::place("rsyslog");
    sent(transport, Reads::File, |port, folder, followed| {
        let (work, followed) = (folder.display(), followed.display());
        let configuration = format!(
            r#"global(workDirectory="{work}" maxMessageSize="256k")
module(load="imfile" mode="inotify")
input(type="imfile" file="{followed}" tag="zeek:" ruleset="ipstats")
ruleset(name="ipstats") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{transport}" {options})
}}
"#
        );
        rsyslog::command(&peer, folder, &configuration)
    });
}

#[test]
#[ignore = "needs .ci/peers/rsyslog.sh"]
fn rsyslog_by_tcp() {
    sent_by_rsyslog(
        "tcp",
        r#"TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format" queue.type="LinkedList"
         queue.filename="ipstats" queue.saveOnShutdown="on" action.resumeRetryCount="-1""#,
    );
}

#[test]
#[ignore = "needs .ci/peers/rsyslog.sh"]
fn rsyslog_by_udp_with_its_own_header() {
    sent_by_rsyslog("udp", "");
}

fn sent_by_syslog_ng(transport: &str, destination: impl FnOnce(u16) -> String) {
    let peer = peer::place("syslog-ng");
    sent(transport, Reads::File, |port, folder, followed| {
        syslog_ng::command(&peer, folder, &syslog_ng::configuration(&peer, followed, &destination(port)))
    });
}

#[test]
#[ignore = "needs .ci/peers/syslog-ng.sh"]
fn syslog_ng_by_tcp() {
    sent_by_syslog_ng("tcp", |port| {
        format!(
            r#"syslog("127.0.0.1" transport("tcp") port({port})
                 disk-buffer(disk-buf-size(1073741824) reliable(yes)))"#
        )
    });
}

#[test]
#[ignore = "needs .ci/peers/syslog-ng.sh"]
fn syslog_ng_by_udp_with_headers_of_rfc_3164() {
    sent_by_syslog_ng("udp", |port| format!(r#"network("127.0.0.1" transport("udp") port({port}))"#));
}
