//! When a flow began.

use super::cursor::number;
use crate::fields::time;
use ipstats_model::Timestamp;

/// The times of a flow record, in the ways there are of expressing them. The first of each way is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FlowTimes {
    /// Seconds since 1970.
    start: Option<i64>,
    /// Milliseconds since the exporter started, of which there are 32 bits.
    start_uptime: Option<u32>,
    /// Microseconds before the export.
    start_delta_micros: Option<u64>,
    end: Option<i64>,
    end_uptime: Option<u32>,
    /// When an event was observed.
    observed: Option<i64>,
    /// When the exporter started, in milliseconds since 1970.
    exporter_start_millis: Option<i64>,
}

/// The clock of an exporter, as the header of a message shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExportClock {
    /// When the message was exported, in milliseconds since 1970.
    pub(super) exported_millis: i64,
    /// When the exporter's uptime was 0, in milliseconds since 1970: nothing where an exporter of IPFIX did not report it.
    pub(super) started_millis: Option<i64>,
}

/// Why a record has no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoStart {
    /// The times count from the start of the exporter, which is not known.
    ExporterStartUnknown,
    Missing,
}

/// A field that exporters fill with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Start,
    End,
    Observed,
}

/// A unit in which fields count the time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    /// Seconds since 1900 and a fraction of 32 bits (RFC 5905).
    Ntp,
}

/// An earlier time, in seconds since 1970, counts from something else than 1970: it is taken only where there is no other.
const YEAR_2000: i64 = 946_684_800;

impl FlowTimes {
    pub(super) fn take(&mut self, moment: Moment, unit: Unit, bytes: &[u8]) {
        let slot = match moment {
            Moment::Start => &mut self.start,
            Moment::End => &mut self.end,
            Moment::Observed => &mut self.observed,
        };
        // Exporters leave at 0 what they do not know.
        *slot = slot.or_else(|| unit.seconds(bytes).filter(|seconds| *seconds != 0));
    }

    pub(super) fn take_start_uptime(&mut self, bytes: &[u8]) {
        self.start_uptime = self.start_uptime.or_else(|| uptime(bytes));
    }

    pub(super) fn take_end_uptime(&mut self, bytes: &[u8]) {
        self.end_uptime = self.end_uptime.or_else(|| uptime(bytes));
    }

    pub(super) fn take_start_delta(&mut self, bytes: &[u8]) {
        self.start_delta_micros = self.start_delta_micros.or_else(|| number(bytes));
    }

    /// When the exporter started, in milliseconds since 1970, if the record shows it.
    pub(super) fn exporter_start(&self) -> Option<i64> {
        self.exporter_start_millis.filter(|millis| *millis >= YEAR_2000 * 1000)
    }

    pub(super) fn take_exporter_start(&mut self, bytes: &[u8]) {
        let millis = || number(bytes).and_then(|millis| i64::try_from(millis).ok());
        self.exporter_start_millis = self.exporter_start_millis.or_else(millis);
    }

    /// Whether packets were seen over some time, as opposed to an event.
    pub(super) const fn has_duration(&self) -> bool {
        self.start.is_some()
            || self.start_uptime.is_some()
            || self.start_delta_micros.is_some()
            || self.end.is_some()
            || self.end_uptime.is_some()
    }

    /// When the flow began, or where no field shows that, when it ended or was observed.
    pub(super) fn start(&self, clock: ExportClock) -> Result<Timestamp, NoStart> {
        let from_uptime = |uptime: Option<u32>| self.seconds_of_uptime(uptime?, clock);
        let delta = || {
            let millis = i64::try_from(self.start_delta_micros?.div_ceil(1000)).ok()?;
            Some(clock.exported_millis.checked_sub(millis)?.div_euclid(1000))
        };
        let seconds = self
            .start
            .filter(|start| *start >= YEAR_2000)
            .or_else(|| from_uptime(self.start_uptime))
            .or_else(delta)
            .or(self.end)
            .or_else(|| from_uptime(self.end_uptime))
            .or(self.observed)
            .or(self.start);
        let is_from_uptime = self.start_uptime.or(self.end_uptime).is_some();
        let unknown = if is_from_uptime { NoStart::ExporterStartUnknown } else { NoStart::Missing };
        seconds.ok_or(unknown).and_then(|seconds| time::from_seconds(seconds).ok_or(NoStart::Missing))
    }

    /// The time at which the exporter's uptime was `uptime`. 32 bits of milliseconds are over after 49.7 days and begin at 0 again: of the
    /// times that `uptime` can be, this is the one nearest to the export. Flows from before the exporter's start (a capture that is
    /// replayed) have an uptime below 0, which is the same. No flow begins after its export.
    fn seconds_of_uptime(&self, uptime: u32, clock: ExportClock) -> Option<i64> {
        let started = self.exporter_start().or(clock.started_millis)?;
        let from_export = i64::from(uptime).wrapping_add(started).wrapping_sub(clock.exported_millis);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder nearest to 0 is what the lower half is"
        )]
        let nearest = from_export as i32;
        Some(clock.exported_millis.checked_add(i64::from(nearest.min(0)))?.div_euclid(1000))
    }
}

impl ExportClock {
    /// The clock of a header that shows the uptime as well.
    pub(super) fn with_uptime(exported_millis: i64, uptime: u32) -> Self {
        Self { exported_millis, started_millis: Some(exported_millis - i64::from(uptime)) }
    }
}

impl Unit {
    fn seconds(self, bytes: &[u8]) -> Option<i64> {
        /// Seconds from 1900 to 1970.
        const NTP_TO_UNIX: i64 = 2_208_988_800;
        let number = number(bytes)?;
        match self {
            Self::Seconds => i64::try_from(number).ok(),
            Self::Milliseconds => i64::try_from(number / 1000).ok(),
            Self::Ntp if bytes.len() == 8 => {
                let seconds = i64::try_from(number >> 32).ok()?;
                // The count of seconds begins at 0 again in 2036.
                Some(if seconds < NTP_TO_UNIX { seconds + (1 << 32) } else { seconds } - NTP_TO_UNIX)
            }
            Self::Ntp => None,
        }
    }
}

fn uptime(bytes: &[u8]) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, reason = "what wraps at 32 bits is read as if it did")]
    number(bytes).map(|millis| millis as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTED: i64 = 1_793_527_200_000;
    const DAY: i64 = 86_400_000;

    fn uptime_clock(up_millis: i64) -> ExportClock {
        ExportClock { exported_millis: EXPORTED, started_millis: Some(EXPORTED - up_millis) }
    }

    /// Milliseconds before the export at which a flow began that has this uptime.
    fn seconds_before_export(uptime: i64, clock: ExportClock) -> i64 {
        let mut times = FlowTimes::default();
        times.take_start_uptime(&uptime.rem_euclid(1 << 32).to_be_bytes());
        EXPORTED / 1000 - times.start(clock).unwrap().second()
    }

    #[test]
    fn wrapped_uptime_is_nearest_to_export() {
        for up_days in [0, 1, 24, 25, 49, 50, 51, 99, 100, 1000] {
            for seconds_ago in [0, 1, 30, 3600, 20 * 86_400] {
                let up = up_days * DAY;
                let seen = seconds_before_export(up - seconds_ago * 1000, uptime_clock(up));
                assert_eq!(seen, seconds_ago, "up for {up_days} days");
            }
        }
    }

    #[test]
    fn flow_does_not_begin_after_export() {
        assert_eq!(seconds_before_export(20_000, uptime_clock(10_000)), 0);
        assert_eq!(seconds_before_export(10 * DAY, uptime_clock(0)), 0);
    }

    #[test]
    fn times_are_read_in_their_unit() {
        let millis = 1_793_527_199_999_u64;
        let ntp = (millis / 1000 + 2_208_988_800) << 32 | 0x8000_0000;
        for (unit, bytes) in [
            (Unit::Seconds, (millis / 1000).to_be_bytes()[4..].to_vec()),
            (Unit::Milliseconds, millis.to_be_bytes().to_vec()),
            (Unit::Milliseconds, millis.to_be_bytes()[2..].to_vec()),
            (Unit::Ntp, ntp.to_be_bytes().to_vec()),
        ] {
            assert_eq!(unit.seconds(&bytes), Some(1_793_527_199), "{unit:?}");
        }
        assert_eq!(Unit::Ntp.seconds(&[0; 8]), Some(2_085_978_496), "2036-02-07");
        assert_eq!((Unit::Ntp.seconds(&[1; 4]), Unit::Seconds.seconds(&[])), (None, None));
    }

    #[test]
    fn best_time_is_taken() {
        let clock = uptime_clock(100_000);
        let before = |seconds: i64| (EXPORTED / 1000 - seconds).to_be_bytes();
        let mut times = FlowTimes::default();
        let offset = |times: &FlowTimes| times.start(clock).map(|start| start.second() - EXPORTED / 1000);
        assert_eq!(offset(&times), Err(NoStart::Missing));
        times.take(Moment::Start, Unit::Seconds, &[100]);
        assert_eq!(offset(&times), Ok(100 - EXPORTED / 1000), "there is no better one");
        times.take(Moment::Observed, Unit::Seconds, &before(1));
        assert_eq!(offset(&times), Ok(-1));
        times.take_end_uptime(&98_000_u32.to_be_bytes());
        assert_eq!(offset(&times), Ok(-2));
        times.take(Moment::End, Unit::Seconds, &before(3));
        assert_eq!(offset(&times), Ok(-3));
        times.take_start_delta(&4_000_000_u32.to_be_bytes());
        assert_eq!(offset(&times), Ok(-4));
        times.take_start_uptime(&95_000_u32.to_be_bytes());
        assert_eq!(offset(&times), Ok(-5));
        let mut times = FlowTimes { start: None, ..times };
        times.take(Moment::Start, Unit::Milliseconds, &[0; 8]);
        times.take(Moment::Start, Unit::Seconds, &before(6));
        assert_eq!(offset(&times), Ok(-6));
    }

    #[test]
    fn uptime_needs_exporter_start() {
        let clock = ExportClock { exported_millis: EXPORTED, started_millis: None };
        let mut times = FlowTimes::default();
        times.take_start_uptime(&5_000_u32.to_be_bytes());
        assert_eq!(times.start(clock), Err(NoStart::ExporterStartUnknown));
        times.take_exporter_start(&(EXPORTED - 10_000).to_be_bytes());
        assert_eq!(times.start(clock).unwrap().second(), EXPORTED / 1000 - 5);
    }
}
