//! Every file in `testdata/<format>/` says what its `.expected` file says, and is recognized as its format.
//!
//! With `IPSTATS_UPDATE_SNAPSHOTS` in the environment, the expectations are written instead; read the difference.

use crate::support::read_auto;
use ipstats_formats::Format;
use std::fs;
use std::path::{Path, PathBuf};

/// The samples of a format, which must be some.
pub(crate) fn samples(format: Format) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format.name());
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut samples: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    samples.retain(|path| path.extension().is_none_or(|extension| extension != "expected"));
    assert!(!samples.is_empty(), "{} holds no sample", folder.display());
    samples.sort();
    samples
}

#[test]
fn every_sample_says_what_is_expected() {
    let update = std::env::var_os("IPSTATS_UPDATE_SNAPSHOTS").is_some();
    for format in Format::ALL {
        for sample in samples(format) {
            let read = read_auto(fs::read(&sample).unwrap());
            assert_eq!(read.format, Some(format), "{}", sample.display());
            let expected = PathBuf::from(format!("{}.expected", sample.display()));
            if update {
                fs::write(&expected, read.shown()).unwrap();
            }
            let text = fs::read_to_string(&expected)
                .unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
            assert_eq!(read.shown(), text, "{}", sample.display());
        }
    }
}
