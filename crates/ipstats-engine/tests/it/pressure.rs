//! A head that fills again and again under a small budget: flushes come by themselves, and the answers stay exact.

use crate::naive::organization;
use ipstats_engine::{Engine, Options};
use ipstats_model::{Batch, CanonicalIp, IpStatistics, LookBack, Timestamp, Window};

const NOW: Timestamp = Timestamp::from_second(1_700_000_000);

#[test]
fn a_scan_of_many_addresses_goes_to_disk() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: Options::MEMORY_BYTES_MIN, ..Options::default() };
    let engine = Engine::open(folder.path(), &options).unwrap();
    let address = |number: u32| {
        CanonicalIp::from_bytes(
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_1234_5678).to_be_bytes(),
        )
    };
    let mut batch = Batch::new();
    let total = 400_000;
    for chunk in 0..total / 20_000 {
        batch.clear();
        for number in chunk * 20_000..(chunk + 1) * 20_000 {
            batch.push("scanner", address(number), NOW.plus_seconds(-i64::from(number % 1000))).unwrap();
        }
        engine.record(organization(1), &batch, NOW).unwrap();
        assert!(engine.figures().unwrap().head_bytes < options.memory_bytes_max / 2);
    }
    assert!(engine.figures().unwrap().flushed_epoch >= 1, "the head never filled");
    let window = Window::ending_at(NOW, LookBack::MAX);
    for number in (0..total).step_by(997) {
        let at = NOW.plus_seconds(-i64::from(number % 1000));
        let expected = IpStatistics::Seen { prevalence: 1, first_seen: at, last_seen: at };
        assert_eq!(engine.statistics(organization(1), address(number), window).unwrap(), expected);
    }
    assert_eq!(engine.statistics(organization(2), address(1), window).unwrap(), IpStatistics::Unknown);
}
