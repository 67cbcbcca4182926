//! Random connections in random order with duplicates, flushes, sweeps, restarts and a clock that goes on: every answer
//! is that of the naive model.

use crate::naive::{Connection, Naive, organization, record};
use ipstats_engine::{Engine, Options};
use ipstats_model::{CanonicalIp, IpStatistics, LookBack, Timestamp, Window};
use proptest::prelude::*;
use std::ops::ControlFlow;
use tempfile::TempDir;

#[derive(Debug, Clone)]
enum Step {
    Record(Vec<Random>),
    /// Records an earlier step's connections again.
    Repeat(prop::sample::Index),
    Flush,
    Sweep,
    /// As a crash leaves it: nothing is flushed.
    Drop,
    Close,
    /// Everything goes to a new folder in pieces, this many times.
    Move(u8),
    Advance(i64),
}

/// A connection, placed relative to the clock of the moment.
#[derive(Debug, Clone)]
struct Random {
    organization: u8,
    device: u8,
    ip: u8,
    age_seconds: i64,
}

const START: Timestamp = Timestamp::from_second(1_700_000_123);

fn ip(number: u8) -> CanonicalIp {
    match number % 2 {
        0 => std::net::Ipv4Addr::new(192, 0, 2, number).into(),
        _ => std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)).into(),
    }
}

fn age() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -320_i64..4000,
        2 => 0_i64..2_700_000,
        1 => (0_i64..722, -61_i64..61).prop_map(|(hours, seconds)| hours * 3600 + seconds),
        1 => (0_i64..32, -61_i64..61).prop_map(|(days, seconds)| days * 86_400 + START.second() % 86_400 + seconds),
    ]
}

fn random() -> impl Strategy<Value = Random> {
    (0_u8..2, 0_u8..6, 0_u8..3, age()).prop_map(|(organization, device, ip, age_seconds)| Random {
        organization,
        device,
        ip,
        age_seconds,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(random(), 1..40).prop_map(Step::Record),
        1 => any::<prop::sample::Index>().prop_map(Step::Repeat),
        2 => Just(Step::Flush),
        1 => Just(Step::Sweep),
        1 => Just(Step::Drop),
        1 => Just(Step::Close),
        1 => (1_u8..3).prop_map(Step::Move),
        2 => prop_oneof![0_i64..7200, 0_i64..2_000_000].prop_map(Step::Advance),
    ]
}

fn place(random: &Random, now: Timestamp) -> Connection {
    Connection {
        organization: organization(random.organization),
        device: format!("device-{}", random.device),
        ip: ip(random.ip),
        at: now.plus_seconds(-random.age_seconds),
    }
}

fn copy(from: &Engine, to: &Engine, now: Timestamp) {
    from.read_pieces(now, |piece| {
        to.add_piece(&piece).unwrap();
        ControlFlow::Continue(())
    })
    .unwrap();
}

fn run(steps: &[Step]) {
    let open = |folder: &TempDir| Engine::open(folder.path(), &Options::default()).unwrap();
    let mut folder = tempfile::tempdir().unwrap();
    let (mut engine, mut naive, mut now) = (open(&folder), Naive::default(), START);
    let mut recorded: Vec<Vec<Connection>> = Vec::new();
    let organizations = [organization(0), organization(1)];
    let ips: Vec<_> = (0..4).map(ip).collect();
    for step in steps {
        match step {
            Step::Record(connections) => {
                let connections: Vec<_> = connections.iter().map(|one| place(one, now)).collect();
                record(&engine, &connections, now);
                naive.record(&connections, now);
                recorded.push(connections);
            }
            Step::Repeat(index) if !recorded.is_empty() => {
                let connections = index.get(&recorded);
                record(&engine, connections, now);
                naive.record(connections, now);
            }
            Step::Repeat(_) => {}
            Step::Flush => engine.flush().unwrap(),
            Step::Sweep => {
                engine.sweep().unwrap();
            }
            Step::Drop => {
                drop(engine);
                engine = open(&folder);
            }
            Step::Close => {
                engine.close().unwrap();
                engine = open(&folder);
            }
            Step::Move(times) => {
                let moved_to = tempfile::tempdir().unwrap();
                let other = open(&moved_to);
                for _ in 0..*times {
                    copy(&engine, &other, now);
                }
                (folder, engine) = (moved_to, other);
            }
            Step::Advance(seconds) => {
                now = now.plus_seconds(*seconds);
                naive.assert_same(&engine, &organizations, &ips, now);
            }
        }
    }
    naive.assert_same(&engine, &organizations, &ips, now);
    engine.close().unwrap();
    naive.assert_same(&open(&folder), &organizations, &ips, now);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_naive_one(steps in prop::collection::vec(step(), 1..24)) {
        run(&steps);
    }
}

#[test]
fn an_answer_is_at_hand_once_it_was_asked_for_and_until_it_takes_long() {
    let (folder, organization) = (tempfile::tempdir().unwrap(), organization(1));
    let window = Window::ending_at(START, LookBack::MAX);
    let at_hand =
        |engine: &Engine, number| engine.statistics_at_hand(organization, ip(number), window).is_some();
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    let connection = |device: u32, number| Connection {
        organization,
        device: device.to_string(),
        ip: ip(number),
        at: START,
    };
    record(&engine, &[connection(1, 1)], START);
    assert!(!at_hand(&engine, 1), "nobody looked into the tiles yet");
    engine.statistics(organization, ip(1), window).unwrap();
    assert!(at_hand(&engine, 1));
    engine.flush().unwrap();
    assert!(!at_hand(&engine, 1), "the tile is another one now");
    engine.statistics(organization, ip(1), window).unwrap();
    record(&engine, &[connection(2, 1)], START);
    let seen = engine.statistics_at_hand(organization, ip(1), window).unwrap();
    assert!(matches!(seen, IpStatistics::Seen { prevalence: 2, .. }), "tile and head: {seen:?}");
    let many: Vec<_> = (0..100).map(|device| connection(device, 1)).collect();
    record(&engine, &many, START);
    assert!(!at_hand(&engine, 1), "a hundred contacts are to be folded");
}
