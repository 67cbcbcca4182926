//! Programs of others that tests check the service with. `.ci/peers/{name}.sh` installs them below the target folder; their
//! drivers are in `tests/peers/{name}`.
//!
//! A test that needs one is `#[ignore]`d with the script that installs it: the test runner reports it as ignored, with the
//! reason. `.ci/run` runs those tests, too, where a missing peer is a failure.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder that peer `name` is installed in, with the driver file `driver` in it as it is now.
pub(crate) fn installed(name: &str, driver: &str) -> PathBuf {
    let place = place(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name).join(driver);
    std::fs::copy(source, place.join(driver)).unwrap();
    place
}

/// The folder that peer `name` is installed in.
pub(crate) fn place(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let place = target.join("peers").join(name);
    require(name, place.join("installed").exists());
    place
}

/// Fails the test unless peer `name` is installed.
pub(crate) fn require(name: &str, is_installed: bool) {
    assert!(is_installed, "the peer {name} is not installed: run .ci/peers/{name}.sh");
}

/// Where an unpacked peer finds the libraries that it brings. `.ci/peer.sh` checks that it needs no others.
pub(crate) fn library_path(peer: &Path) -> OsString {
    let libraries = glob::glob(peer.join("usr/lib/**/*.so.*").to_str().unwrap()).unwrap();
    let folders: BTreeSet<_> =
        libraries.map(|library| library.unwrap().parent().unwrap().to_owned()).collect();
    std::env::join_paths(folders).unwrap()
}
