//! `copy` into a data folder on a disk that fails.

use super::import::connections;
use super::{Disk, Faults};
use crate::cli::Done;
use crate::cli::model::Model;
use crate::site::{AS_OF, Site, expected, log};
use std::fs;

const COPY: [&str; 7] = ["copy", "--from", "source", "--to", "data", "--as-of", AS_OF];

/// Copies onto `disk`; whether that failed, as it should be said, and went well the second time.
fn copy_fails(faults: &Faults, site: &Site, disk: Disk, model: &Model) -> bool {
    let ips: Vec<_> = model.ips().into_iter().collect();
    let target = fs::canonicalize(site.place.path(".")).unwrap().join("data");
    let _ = fs::remove_dir_all(&target);
    faults.set(disk);
    let mut command = faults.put_under(site.place.command(COPY), &site.place);
    // The other side has a disk of its own.
    command.env("FAULTS_BELOW", target);
    let done = site.place.done(command.spawn().unwrap());
    let failed = done.code != Some(0);
    if failed {
        assert_says_why(&done, disk);
        let again = site.place.run(&COPY);
        assert_eq!(again.code, Some(0), "{disk:?}: {again:?}");
    }
    assert_eq!(site.stored(&ips), expected(model, &ips), "{disk:?}");
    failed
}

fn assert_says_why(done: &Done, disk: Disk) {
    assert_eq!(done.code, Some(1), "{disk:?}: {done:?}");
    assert!(done.err.contains(disk.complaint()) && !done.err.contains("panicked"), "{disk:?}: {done:?}");
    assert!(done.err.contains("disk space") || done.err.contains("space left"), "{disk:?}: {done:?}");
}

/// From the creation of the folder to the writing of the index.
#[test]
fn a_disk_that_is_full_sooner_or_later() {
    let faults = Faults::new();
    let (site, model) = (Site::new(), connections());
    let file = site.place.file("log", log(&model));
    let imported = site.place.run(&["import", "--data-dir", "source", "--as-of", AS_OF, &file]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(copy_fails(&faults, &site, Disk::FailsToSync, &model));
    let sizes = (0..).map(|power| 20 * 4_u32.pow(power));
    let failed = sizes.take_while(|bytes| copy_fails(&faults, &site, Disk::Fills(*bytes), &model)).count();
    assert!(failed >= 6, "{failed}");
}
