//! How much memory there is, for the `memory` setting.

use std::fs;

/// Most memory that the default takes, in bytes: 4 GiB.
const DEFAULT_BYTES_MAX: u64 = 4 << 30;

/// What the default is where the machine does not tell, in bytes: 1 GiB.
const UNKNOWN_MACHINE_BYTES: u64 = 1 << 30;

/// A quarter of the machine, or of the container, and at most 4 GiB.
pub(super) fn default_memory_bytes() -> u64 {
    memory_bytes().map_or(UNKNOWN_MACHINE_BYTES, |bytes| (bytes / 4).min(DEFAULT_BYTES_MAX))
}

/// Memory of the machine, or of the container, where it tells.
pub(super) fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of_meminfo(&text));
    let container =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    [machine, container].into_iter().flatten().min()
}

/// `MemTotal` of `/proc/meminfo` (proc_meminfo(5)), in bytes.
fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_the_default_is_bounded() {
        assert_eq!(total_of_meminfo("MemTotal:       16318424 kB\nMemFree: 1 kB\n"), Some(16_318_424 * 1024));
        assert_eq!(total_of_meminfo("MemFree: 1 kB\n"), None);
        assert!((1..=DEFAULT_BYTES_MAX).contains(&default_memory_bytes()));
    }
}
