//! `import` on a disk that fails.

use super::{Disk, Faults};
use crate::cli::model::Model;
use crate::site::{AS_OF, NOW, Site, expected, log};
use std::net::{IpAddr, Ipv4Addr};

pub(super) fn connections() -> Model {
    let connection = |n: i64| {
        let ip: IpAddr = Ipv4Addr::new(198, 51, 100, u8::try_from(n % 7).unwrap()).into();
        (format!("host-{}", n * 31 % 1009), ip, NOW - n * 17 % 2_500_000)
    };
    Model { connections: (0..60_000).map(connection).collect() }
}

/// Imports onto `disk`; whether that failed, as it should be said, and went well the second time.
fn import_fails(faults: &Faults, disk: Disk, model: &Model) -> bool {
    let site = Site::new();
    let ips: Vec<_> = model.ips().into_iter().collect();
    let file = site.place.file("log", log(model));
    faults.set(disk);
    let command = site.place.command(["import", "--as-of", AS_OF, &file]);
    let done = site.place.done(faults.put_under(command, &site.place).spawn().unwrap());
    let failed = done.code != Some(0);
    if failed {
        assert_eq!(done.code, Some(1), "{disk:?}: {done:?}");
        assert!(done.err.contains(disk.complaint()) && !done.err.contains("panicked"), "{disk:?}: {done:?}");
        assert!(done.err.contains("disk space") || done.err.contains("space left"), "{disk:?}: {done:?}");
        let again = site.import(&file);
        assert_eq!(again.code, Some(0), "{disk:?}: {again:?}");
    }
    assert_eq!(site.stored(&ips), expected(model, &ips), "{disk:?}");
    failed
}

#[test]
fn an_fsync_that_fails() {
    let faults = Faults::new();
    assert!(import_fails(&faults, Disk::FailsToSync, &connections()));
}

/// From the creation of the data folder to the writing of the index.
#[test]
fn a_disk_that_is_full_sooner_or_later() {
    let faults = Faults::new();
    let model = connections();
    let sizes = (0..).map(|power| 20 * 4_u32.pow(power));
    let failed = sizes.take_while(|bytes| import_fails(&faults, Disk::Fills(*bytes), &model)).count();
    assert!(failed >= 6, "{failed}");
}
