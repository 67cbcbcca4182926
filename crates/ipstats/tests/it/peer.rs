//! Programs that nobody here wrote, which tests check the service with. `.ci/peers/{name}.sh` installs them below the
//! target folder; their drivers are in `tests/peers/{name}`.

use std::path::{Path, PathBuf};

/// The folder that peer `name` is installed in, with the driver file `driver` in it as it is now; nothing, and said
/// loudly, where it is not installed.
pub(crate) fn installed(name: &str, driver: &str) -> Option<PathBuf> {
    let place = place(name)?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name).join(driver);
    std::fs::copy(source, place.join(driver)).unwrap();
    Some(place)
}

/// The folder that peer `name` is installed in; nothing, and said loudly, where it is not installed.
pub(crate) fn place(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let place = target.join("peers").join(name);
    if !place.join("installed").exists() {
        skip(&format!("the check with {name}"), name);
        return None;
    }
    Some(place)
}

/// Says loudly that `what` is not checked, and which script brings what it needs.
#[expect(clippy::print_stderr, reason = "a test that checks nothing says so")]
pub(crate) fn skip(what: &str, script: &str) {
    eprintln!("skipped: {what}, because a program for it is not installed; run .ci/peers/{script}.sh");
}
