//! Answering: the parts of one IP's state, wherever they are, as one.
//!
//! A question never builds the joined state where it can be avoided: devices inside the window are counted in the largest
//! part, and only those of the smaller parts are looked up.

use crate::state::IpState;
use ipstats_model::{Day, IpStatistics, LookBack, Timestamp, Window};
use std::sync::Arc;

/// Most devices that are scanned at once; a quarter of a nanosecond each.
const SCANNED_AT_ONCE_MAX: usize = 200_000;

/// Most devices that are looked up at once.
const LOOKED_UP_AT_ONCE_MAX: usize = 256;

/// The state of one IP in pieces whose join is the whole.
pub(crate) struct Parts(Vec<Arc<IpState>>);

impl Parts {
    /// Parts in any order, the empty ones left out.
    pub(crate) fn new(parts: impl IntoIterator<Item = Arc<IpState>>) -> Self {
        let mut parts: Vec<_> = parts.into_iter().filter(|part| part.first_ever() != u32::MAX).collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.device_count()));
        Self(parts)
    }

    pub(crate) fn statistics(&self, window: Window) -> IpStatistics {
        let start = start_minute(window);
        let Some(first) = self.0.iter().filter_map(|part| part.first_since(start)).min() else {
            return self.outside(window);
        };
        let prevalence = self.devices_since(start);
        if prevalence == 0 {
            // Times came ahead of their devices, from another store. Devices decide.
            return self.outside(window);
        }
        // The last contact of all lies in the window when any contact does.
        let last = self.0.iter().map(|part| part.last()).max().unwrap_or(first);
        IpStatistics::Seen {
            prevalence,
            first_seen: window.shown(timestamp(first)),
            last_seen: window.shown(timestamp(last)),
        }
    }

    /// Whether [`statistics`](Self::statistics) takes some tens of microseconds at most: it scans the devices of the
    /// largest part and looks each one of the others up.
    pub(crate) fn are_answered_at_once(&self) -> bool {
        let mut devices = self.0.iter().map(|part| part.device_count());
        devices.next().unwrap_or(0) <= SCANNED_AT_ONCE_MAX && devices.sum::<usize>() <= LOOKED_UP_AT_ONCE_MAX
    }

    /// Ids and last minutes of the devices inside the window.
    pub(crate) fn devices(&self, window: Window) -> Vec<(u32, u32)> {
        let start = start_minute(window);
        let joined = self.joined();
        let inside = joined.devices().filter(|device| device.last >= start);
        inside.map(|device| (device.id, device.last)).collect()
    }

    /// Distinct devices of each whole UTC day within retention, and of today so far; oldest first.
    pub(crate) fn devices_per_day(&self, now: Timestamp) -> Vec<(Day, u64)> {
        let start = Window::ending_at(now, LookBack::MAX).start();
        let first = start.plus_seconds(86_399).day().index();
        let today = now.day().index();
        let mut per_day = vec![0_u64; (today - first) as usize + 1];
        for device in self.joined().devices() {
            let last_day = device.last / 1440;
            for (day, count) in (first..).zip(&mut per_day) {
                let contact =
                    last_day.checked_sub(day).and_then(|older_by| device.days.checked_shr(older_by));
                *count += u64::from(contact.is_some_and(|mask| mask & 1 == 1));
            }
        }
        (first..).map(Day::from_index).zip(per_day).collect()
    }

    /// The first contact ever.
    pub(crate) fn first_ever(&self) -> Option<Timestamp> {
        self.0.iter().map(|part| part.first_ever()).min().map(timestamp)
    }

    fn devices_since(&self, start: u32) -> u64 {
        let Some((largest, others)) = self.0.split_first() else { return 0 };
        let mut count = largest.devices_since(start);
        for (position, part) in others.iter().enumerate() {
            let larger = || self.0.iter().take(position + 1);
            let is_counted =
                |id| larger().any(|part| part.last_minute_of(id).is_some_and(|last| last >= start));
            count += part.ids_since(start).filter(|id| !is_counted(*id)).count();
        }
        count as u64
    }

    fn outside(&self, window: Window) -> IpStatistics {
        let retained = start_minute(Window::ending_at(window.now(), LookBack::MAX));
        let is_retained = self.0.iter().any(|part| part.devices_since(retained) > 0);
        if is_retained { IpStatistics::NotInWindow } else { IpStatistics::Unknown }
    }

    fn joined(&self) -> IpState {
        self.0.iter().fold(IpState::default(), |joined, part| joined.join(part))
    }
}

fn start_minute(window: Window) -> u32 {
    window.start().minute().index()
}

fn timestamp(second: u32) -> Timestamp {
    Timestamp::from_second(i64::from(second))
}
