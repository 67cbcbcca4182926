//! `copy`, killed while it creates and fills the target, and while it reads the source.

use super::{Kills, connections, ips, remove, spread};
use crate::site::{AS_OF, Site, expected, log};

const COPY: [&str; 7] = ["copy", "--from", "source", "--to", "data", "--as-of", AS_OF];
const KILLS: u64 = 40;

/// Kills copies at their changes to `watched`; afterwards both folders open and the copy completes.
fn assert_copy_survives(watched: &str) {
    let (kills, site, stored) = (Kills::new(), Site::new(), connections("host", 200));
    let file = site.place.file("log", log(&stored));
    let imported = site.place.run(&["import", "--data-dir", "source", "--as-of", AS_OF, &file]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    remove(&site.place, "data");
    assert_eq!(kills.run(&site.place, &COPY, watched, 0).code, Some(0));
    let total = kills.changes();
    assert!(total > 5, "{total} changes");
    for number in spread(total, KILLS) {
        remove(&site.place, "data");
        let _ = kills.run(&site.place, &COPY, watched, number);
        let again = site.place.run(&COPY);
        assert_eq!(again.code, Some(0), "change {number} of {total}: {again:?}");
        assert_eq!(site.stored(&ips()), expected(&stored, &ips()), "change {number} of {total}");
    }
}

#[test]
fn copy_survives_kill_of_its_target() {
    assert_copy_survives("data");
}

#[test]
fn copy_survives_kill_of_its_source() {
    assert_copy_survives("source");
}
