//! The devices of the sample organization.

/// A device, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// How a device is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a person, in office hours.
    Personal,
    /// By itself, around the clock.
    Server,
}

const LAPTOPS: [(&str, usize); 3] = [("ber", 96), ("lis", 72), ("osl", 60)];
const WORKSTATIONS: [(&str, usize); 4] = [("dev", 38), ("fin", 22), ("hr", 10), ("lab", 14)];
const SERVERS: [(&str, usize); 10] = [
    ("backup", 2),
    ("build", 6),
    ("dc", 3),
    ("dns", 2),
    ("erp", 3),
    ("file", 3),
    ("mail", 2),
    ("mon", 1),
    ("sql", 5),
    ("web", 8),
];

/// All of them, in a fixed order.
pub(super) fn fleet() -> Vec<Device> {
    let laptops = named("lt", &LAPTOPS, Kind::Personal);
    let workstations = named("ws", &WORKSTATIONS, Kind::Personal);
    laptops.chain(workstations).chain(named("srv", &SERVERS, Kind::Server)).collect()
}

fn named(
    prefix: &'static str,
    groups: &'static [(&'static str, usize)],
    kind: Kind,
) -> impl Iterator<Item = Device> {
    groups.iter().flat_map(move |(group, count)| {
        (1..=*count).map(move |number| Device { name: format!("{prefix}-{group}-{number:03}"), kind })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_few_hundred_devices_have_names_of_their_own() {
        let fleet = fleet();
        let names: BTreeSet<_> = fleet.iter().map(|device| &device.name).collect();
        assert_eq!(names.len(), fleet.len());
        assert!((300..500).contains(&fleet.len()), "{}", fleet.len());
        assert!(names.contains(&"lt-osl-042".to_owned()) && names.contains(&"srv-mon-001".to_owned()));
    }
}
