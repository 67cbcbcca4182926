//! What fuzzing found and kept, on the compiler everybody has: each input in `fuzz/kept/{target}` once more.

#[expect(unreachable_pub, reason = "there it is a library")]
#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Longest time that one input may take: hundreds of times what it takes here, where nothing is optimized.
const INPUT_SECONDS_MAX: u64 = 600;

/// Longest corpus of one target, in bytes.
const KEPT_BYTES_MAX: u64 = 256 << 10;

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/kept")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_was_kept_still_holds() {
    for (target, check) in targets::TARGETS {
        let folder = kept().join(target);
        let inputs = names(&folder);
        assert!(inputs.len() >= 10, "{target} has a corpus: {}", inputs.len());
        for name in inputs {
            let input = fs::read(folder.join(&name)).unwrap();
            let began = Instant::now();
            if let Err(panic) = std::panic::catch_unwind(|| check(&input)) {
                let message = panic.downcast_ref::<String>().map_or("", String::as_str);
                panic!("fuzz/kept/{target}/{name}: {message}");
            }
            assert!(began.elapsed().as_secs() < INPUT_SECONDS_MAX, "fuzz/kept/{target}/{name}");
        }
    }
}

#[test]
fn every_target_can_be_fuzzed_and_every_corpus_has_one() {
    let targets: BTreeSet<_> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let files = names(&folder.join("fuzz_targets"));
    let files: BTreeSet<_> = files.iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(files, targets);
    assert_eq!(names(&kept()), targets);
    for target in &targets {
        let folder = kept().join(target);
        let bytes: u64 =
            names(&folder).iter().map(|name| fs::metadata(folder.join(name)).unwrap().len()).sum();
        assert!(bytes <= KEPT_BYTES_MAX, "fuzz/kept/{target} has {bytes} bytes");
    }
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is in fuzz/Cargo.toml");
    }
}
