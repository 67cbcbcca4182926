//! rsyslog follows a file and sends its lines to the bulk API. Debian's has no `omhttp`.

use super::ZeekLog;
use crate::peer;
use crate::site::Site;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs .ci/peers/rsyslog.sh"]
fn rsyslog_sends_to_the_bulk_api() {
    let (peer, log) = (peer::place("rsyslog"), ZeekLog::new());
    let site = Site::new();
    log.shipped_in_spite_of_kills(&site, |port, folder, followed| {
        command(&peer, folder, &configuration(port, folder, followed, site.key()))
    });
}

/// rsyslog with this configuration, and what it keeps in `folder`.
pub(super) fn command(peer: &Path, folder: &Path, configuration: &str) -> Command {
    let modules =
        glob::glob(peer.join("usr/lib/*/rsyslog").to_str().unwrap()).unwrap().next().unwrap().unwrap();
    let config = folder.join("rsyslog.conf");
    fs::write(&config, configuration).unwrap();
    let mut command = Command::new(peer.join("usr/sbin/rsyslogd"));
    command
        .env("LD_LIBRARY_PATH", peer::library_path(peer))
        .arg("-n")
        .arg("-M")
        .arg(&modules)
        .arg("-i")
        .arg(folder.join("pid"))
        .arg("-f")
        .arg(config);
    command
}

/// As docs/shippers.md has it, with small batches.
fn configuration(port: &str, folder: &Path, followed: &Path, key: &str) -> String {
    let (folder, followed) = (folder.display(), followed.display());
    format!(
        r#"global(workDirectory="{folder}")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="{followed}" tag="zeek" ruleset="ship")
ruleset(name="ship") {{
  action(type="omelasticsearch" server="http://127.0.0.1:{port}/elastic" searchIndex="zeek" searchType=""
         bulkmode="on" template="line" uid="rsyslog" pwd="{key}"
         queue.type="linkedList" queue.dequeueBatchSize="50" action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"#
    )
}
