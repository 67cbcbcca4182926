//! All of it once more with Valkey in Redis's place: this program runs itself, with another server to start.

use super::redis::SERVER;
use crate::peer;
use std::env;
use std::process::Command;

/// The server that the package ships speaks no TLS.
const LEFT_OUT: [&str; 3] = ["valkey", "tls_is_spoken", "trust::"];

#[test]
#[ignore = "needs .ci/peers/valkey.sh"]
fn valkey_counts_as_redis_does() {
    let place = peer::place("valkey");
    let mut tests = Command::new(env::current_exe().unwrap());
    tests.args(["replicas::", "--include-ignored"]).args(LEFT_OUT.iter().flat_map(|test| ["--skip", test]));
    let done = tests.env(SERVER, place.join("valkey-server")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("replicas::three::") && !said.contains("running 0 tests"), "{said}");
}
