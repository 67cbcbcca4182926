//! What is known about one (organization, IP): the join-semilattice that everything else moves around.
//!
//! | part | content | join |
//! |---|---|---|
//! | devices | device → minute of its last contact, UTC days with a contact relative to that last day | max, union |
//! | minutes | each minute with a contact → the first second in it | min |
//! | last | the last contact | max |
//! | first ever | the first contact ever recorded | min |
//!
//! Architecture Invariant: [`IpState::join`] is commutative, associative and idempotent, and [`IpState::default`] is its
//! identity. Duplicates, late data, replay and races between writer, flusher and reader are harmless because of it. What
//! is not a join (a counter, say) must not enter the state.

use smallvec::SmallVec;

const MINUTES_PER_DAY: u32 = 1440;

/// The device of a contact of which only the time is known. No device ever gets this id (`devices.rs`).
const NO_DEVICE: u32 = u32::MAX;

/// One contact as it is recorded: device id in the high 32 bits, second since the epoch in the low ones.
///
/// Ordered by device, then by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contact(u64);

impl Contact {
    pub(crate) fn new(device: u32, second: u32) -> Self {
        Self(u64::from(device) << 32 | u64::from(second))
    }

    /// A contact of which only the time is known: it counts for the minutes, the last contact and the first ever.
    pub(crate) fn of_no_device(second: u32) -> Self {
        Self::new(NO_DEVICE, second)
    }

    pub(crate) const fn device(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is the second")]
    pub(crate) const fn second(self) -> u32 {
        self.0 as u32
    }
}

/// One device's part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceState {
    /// Device id, unique within the organization.
    pub(crate) id: u32,
    /// Minute of the last contact, since the epoch.
    pub(crate) last: u32,
    /// Bit `b` is set when there was a contact `b` UTC days before the day of `last`; bit 0 always is. 32 days are
    /// enough: retention touches at most 31 UTC days, and a record may lie 5 minutes ahead on the next one.
    pub(crate) days: u32,
}

impl DeviceState {
    fn join(self, other: Self) -> Self {
        let last = self.last.max(other.last);
        Self { id: self.id, last, days: self.days_before(last) | other.days_before(last) }
    }

    /// The day mask as seen from the day of the later minute `last`.
    fn days_before(self, last: u32) -> u32 {
        let older_by = last / MINUTES_PER_DAY - self.last / MINUTES_PER_DAY;
        self.days.checked_shl(older_by).unwrap_or(0)
    }
}

/// The state of one (organization, IP).
///
/// Columns, because the main question scans only `last_minutes`. The three device columns have one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IpState {
    /// Device ids, ascending and distinct.
    ids: Vec<u32>,
    /// Minute of each device's last contact.
    last_minutes: Vec<u32>,
    /// Day mask of each device.
    days: Vec<u32>,
    /// The first second with a contact of each minute that has one, ascending: seconds since the epoch.
    minutes: Vec<u32>,
    /// The last contact, seconds since the epoch; 0 when there is none left.
    last: u32,
    /// The first contact ever, seconds since the epoch; `u32::MAX` when there is none.
    first_ever: u32,
}

impl Default for IpState {
    fn default() -> Self {
        Self {
            ids: vec![],
            last_minutes: vec![],
            days: vec![],
            minutes: vec![],
            last: 0,
            first_ever: u32::MAX,
        }
    }
}

impl IpState {
    /// Builds a state from its columns; [`None`] when they are not what the fields promise.
    pub(crate) fn from_parts(
        devices: impl IntoIterator<Item = DeviceState>,
        minutes: Vec<u32>,
        last: u32,
        first_ever: u32,
    ) -> Option<Self> {
        let mut state = Self { minutes, last, first_ever, ..Self::default() };
        for device in devices {
            if state.ids.last().is_some_and(|id| *id >= device.id) {
                return None;
            }
            state.push_device(device);
        }
        state.minutes.is_sorted_by(|a, b| a / 60 < b / 60).then_some(state)
    }

    /// The state after `contacts`, which are sorted on the way.
    pub(crate) fn from_contacts(contacts: &mut [Contact]) -> Self {
        let mut state = Self::default();
        contacts.sort_unstable();
        for of_one_device in contacts.chunk_by(|a, b| a.device() == b.device()) {
            let Some(newest) = of_one_device.last().filter(|contact| contact.device() != NO_DEVICE) else {
                continue;
            };
            let last = newest.second() / 60;
            let today = last / MINUTES_PER_DAY;
            let days = of_one_device
                .iter()
                .map(|contact| 1_u32.checked_shl(today - contact.second() / 86_400).unwrap_or(0))
                .fold(0, |mask, day| mask | day);
            state.push_device(DeviceState { id: newest.device(), last, days });
        }
        let mut seconds: SmallVec<[u32; 16]> = contacts.iter().map(|contact| contact.second()).collect();
        seconds.sort_unstable();
        state.first_ever = seconds.first().copied().unwrap_or(u32::MAX);
        state.last = seconds.last().copied().unwrap_or(0);
        seconds.dedup_by_key(|second| *second / 60);
        state.minutes = seconds.to_vec();
        state
    }

    /// The least state that holds all that both hold.
    pub(crate) fn join(&self, other: &Self) -> Self {
        if other.ids.is_empty() && other.minutes.is_empty() {
            let mut joined = self.clone();
            joined.last = self.last.max(other.last);
            joined.first_ever = self.first_ever.min(other.first_ever);
            return joined;
        }
        let mut joined = Self {
            last: self.last.max(other.last),
            first_ever: self.first_ever.min(other.first_ever),
            minutes: join_minutes(&self.minutes, &other.minutes),
            ..Self::default()
        };
        let upper_bound = self.ids.len() + other.ids.len();
        joined.ids.reserve(upper_bound);
        joined.last_minutes.reserve(upper_bound);
        joined.days.reserve(upper_bound);
        let (mut left, mut right) = (self.devices().peekable(), other.devices().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.id == b.id => {
                    let both = a.join(*b);
                    left.next();
                    right.next();
                    Some(both)
                }
                (Some(a), Some(b)) if a.id < b.id => left.next(),
                (Some(_), None) => left.next(),
                (_, Some(_)) => right.next(),
                (None, None) => break,
            };
            next.into_iter().for_each(|device| joined.push_device(device));
        }
        joined
    }

    /// Drops what no window that starts at or after `horizon` (a minute since the epoch) can see; the first contact ever
    /// stays.
    pub(crate) fn prune(&mut self, horizon: u32) {
        if self.last / 60 < horizon {
            self.last = 0;
        }
        let expired_minutes = self.minutes.partition_point(|second| second / 60 < horizon);
        self.minutes.drain(..expired_minutes);
        if self.last_minutes.iter().any(|last| *last < horizon) {
            let kept: Vec<DeviceState> = self.devices().filter(|device| device.last >= horizon).collect();
            self.ids.clear();
            self.last_minutes.clear();
            self.days.clear();
            kept.into_iter().for_each(|device| self.push_device(device));
        }
    }

    /// The first contact of the UTC day `day`, in seconds since the epoch.
    pub(crate) fn first_of_day(&self, day: u32) -> Option<u32> {
        self.first_since(day * MINUTES_PER_DAY).filter(|second| second / 86_400 == day)
    }

    /// The first contact in a minute since the epoch, in seconds since the epoch.
    pub(crate) fn first_of_minute(&self, minute: u32) -> Option<u32> {
        self.first_since(minute).filter(|second| second / 60 == minute)
    }

    /// The devices, by ascending id.
    pub(crate) fn devices(&self) -> impl ExactSizeIterator<Item = DeviceState> {
        let columns = self.ids.iter().zip(&self.last_minutes).zip(&self.days);
        columns.map(|((id, last), days)| DeviceState { id: *id, last: *last, days: *days })
    }

    /// Number of devices, whatever their last contact.
    pub(crate) fn device_count(&self) -> usize {
        self.ids.len()
    }

    /// Devices whose last contact lies in minute `start` or later.
    pub(crate) fn devices_since(&self, start: u32) -> usize {
        self.last_minutes.iter().filter(|last| **last >= start).count()
    }

    /// Minute of the last contact of the device `id`.
    pub(crate) fn last_minute_of(&self, id: u32) -> Option<u32> {
        let position = self.ids.binary_search(&id).ok()?;
        self.last_minutes.get(position).copied()
    }

    /// Ids and last minutes of the devices whose last contact lies in minute `start` or later.
    pub(crate) fn ids_since(&self, start: u32) -> impl Iterator<Item = u32> {
        self.ids.iter().zip(&self.last_minutes).filter(move |(_, last)| **last >= start).map(|(id, _)| *id)
    }

    /// The first contact in minute `start` or later, in seconds since the epoch.
    pub(crate) fn first_since(&self, start: u32) -> Option<u32> {
        let position = self.minutes.partition_point(|second| second / 60 < start);
        self.minutes.get(position).copied()
    }

    /// The first second with a contact of each minute that has one, ascending.
    pub(crate) fn minutes(&self) -> &[u32] {
        &self.minutes
    }

    /// The last contact, seconds since the epoch; 0 when there is none left.
    pub(crate) const fn last(&self) -> u32 {
        self.last
    }

    /// The first contact ever, seconds since the epoch; `u32::MAX` when there is none.
    pub(crate) const fn first_ever(&self) -> u32 {
        self.first_ever
    }

    /// Memory of this value, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let columns = self.ids.capacity() + self.last_minutes.capacity() + self.days.capacity();
        size_of::<Self>() + size_of::<u32>() * (columns + self.minutes.capacity())
    }

    fn push_device(&mut self, device: DeviceState) {
        self.ids.push(device.id);
        self.last_minutes.push(device.last);
        self.days.push(device.days);
    }
}

fn join_minutes(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut joined = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a / 60 == b / 60 => {
                let earlier = *a.min(b);
                left.next();
                right.next();
                Some(earlier)
            }
            (Some(a), Some(b)) if a < b => left.next(),
            (Some(_), None) => left.next(),
            (_, Some(_)) => right.next(),
            (None, None) => return joined,
        };
        joined.extend(next);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Contacts of few devices over 40 days: collisions of devices, minutes and days are frequent.
    pub(crate) fn contacts() -> impl Strategy<Value = Vec<Contact>> {
        let second = (0_u32..40, 0_u32..4, 0_u32..180)
            .prop_map(|(day, hour, second)| 20_000 * 86_400 + day * 86_400 + hour * 3600 + second);
        let device = prop_oneof![4 => 0_u32..3, 4 => 0_u32..12, 1 => Just(NO_DEVICE)];
        proptest::collection::vec(
            (device, second).prop_map(|(device, second)| Contact::new(device, second)),
            0..30,
        )
    }

    fn state(contacts: &[Contact]) -> IpState {
        IpState::from_contacts(&mut contacts.to_vec())
    }

    proptest! {
        #[test]
        fn join_is_a_semilattice(a in contacts(), b in contacts(), c in contacts()) {
            let (a, b, c) = (state(&a), state(&b), state(&c));
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert_eq!(a.join(&a), a.clone());
            prop_assert_eq!(a.join(&IpState::default()), a.clone());
            prop_assert_eq!(IpState::default().join(&a), a);
        }

        #[test]
        fn contacts_in_one_piece_or_in_two_give_one_state(a in contacts(), b in contacts()) {
            prop_assert_eq!(state(&a).join(&state(&b)), state(&[a, b].concat()));
        }

        #[test]
        fn pruning_commutes_with_join(a in contacts(), b in contacts(), day in 0_u32..40) {
            let horizon = (20_000 + day) * 1440 + 61;
            let (mut early_a, mut early_b, mut late) = (state(&a), state(&b), state(&a).join(&state(&b)));
            early_a.prune(horizon);
            early_b.prune(horizon);
            late.prune(horizon);
            let mut early = early_a.join(&early_b);
            early.prune(horizon);
            // A day mask may still show days before the horizon; no question reads those.
            let visible = |state: &IpState| {
                let devices: Vec<_> = state.devices().map(|device| {
                    let days_left = device.last / 1440 - horizon / 1440;
                    (device.id, device.last, device.days & 1_u32.checked_shl(days_left).map_or(u32::MAX, |bit| bit - 1))
                }).collect();
                (devices, state.minutes().to_vec(), state.last(), state.first_ever())
            };
            prop_assert_eq!(visible(&early), visible(&late));
        }
    }

    #[test]
    fn a_device_keeps_its_days() {
        let day = |day: u32| day * 86_400 + 10;
        let state = state(&[Contact::new(7, day(100)), Contact::new(7, day(103)), Contact::new(7, day(131))]);
        let device = state.devices().next().unwrap();
        assert_eq!(device, DeviceState { id: 7, last: 131 * 1440, days: 1 | 1 << 28 | 1 << 31 });
        assert_eq!(state.first_ever(), day(100));
        assert_eq!(state.last(), day(131));
    }
}
