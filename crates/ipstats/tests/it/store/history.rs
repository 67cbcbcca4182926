//! Random histories: what comes in, what is asked, and when.

use ipstats_model::{CanonicalIp, LookBack, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

/// What happens, in this order.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) begin: Timestamp,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A batch arrives for one of two organizations, some time after the last one.
    Record { organization: usize, rows: Vec<Row>, later_seconds: i64 },
    /// Both organizations ask.
    Ask { ip: CanonicalIp, look_back: LookBack },
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) device: &'static str,
    pub(super) ip: CanonicalIp,
    /// Before the batch's *now*; negative after it.
    pub(super) ago_seconds: i64,
}

/// What every store has to keep apart, and what could break out of a query.
const DEVICES: [&str; 10] = [
    "laptop",
    "LAPTOP",
    "10.0.0.7",
    "naïve 🦀",
    "quote'",
    "back\\slash\t\n",
    "x",
    "nul\0byte",
    "\\'); DROP TABLE contacts; --",
    LONG,
];

/// As long as a name may be.
const LONG: &str = match std::str::from_utf8(&[b'`'; 256]) {
    Ok(name) => name,
    Err(_) => "",
};

const IPS: [&str; 5] = ["10.209.67.177", "0.0.0.0", "2001:db8::1", "::1", "255.255.255.255"];

/// Around the ends of days, months and years, and when clocks are put forward.
const BEGINS: [&str; 4] =
    ["2017-12-31T23:58:30Z", "2018-02-28T12:00:00Z", "2018-03-25T01:30:59Z", "2024-02-29T00:00:00Z"];

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

pub(super) fn any() -> impl Strategy<Value = History> {
    let begin = (prop::sample::select(&BEGINS[..]), 0..DAY)
        .prop_map(|(begin, later)| begin.parse::<Timestamp>().unwrap().plus_seconds(later));
    (begin, vec(step(), 1..12)).prop_map(|(begin, steps)| History { begin, steps })
}

/// Every IP there is.
pub(super) fn ips() -> impl Iterator<Item = CanonicalIp> {
    IPS.iter().map(|text| text.parse().unwrap())
}

/// Every look-back there is.
pub(super) fn look_backs() -> impl Iterator<Item = LookBack> {
    (1..=720).map(|hours| LookBack::from_hours(hours).unwrap())
}

fn step() -> impl Strategy<Value = Step> {
    let later = prop_oneof![3 => 0..120_i64, 2 => 0..DAY, 1 => 0..20 * DAY];
    let record = (0..2_usize, vec(row(), 0..9), later)
        .prop_map(|(organization, rows, later_seconds)| Step::Record { organization, rows, later_seconds });
    let ask = (ip(), 1..=720_i64)
        .prop_map(|(ip, hours)| Step::Ask { ip, look_back: LookBack::from_hours(hours).unwrap() });
    prop_oneof![3 => record, 2 => ask]
}

fn row() -> impl Strategy<Value = Row> {
    // Recent and late, ahead of the clock, around the ends of retention and of what may lie ahead.
    let ago = prop_oneof![
        4 => 0..2 * HOUR,
        3 => 0..31 * DAY,
        2 => -305..5_i64,
        1 => (30 * DAY - 65)..(30 * DAY + 65),
    ];
    (prop::sample::select(&DEVICES[..]), ip(), ago).prop_map(|(device, ip, ago_seconds)| Row {
        device,
        ip,
        ago_seconds,
    })
}

fn ip() -> impl Strategy<Value = CanonicalIp> {
    prop::sample::select(&IPS[..]).prop_map(|text| text.parse().unwrap())
}
