//! One IP, with all that is known about it: is it new, is it spreading, who talks to it.

use super::question::{Question, span};
use crate::store::StoreError;
use crate::visible::Visible;
use ipstats_model::{CanonicalIp, DayPrevalence, DeviceContact, IpStatistics, LookBack, Timestamp, Window};
use std::fmt::{self, Write};

/// How many devices are shown unless all are asked for.
const DEVICES_SHOWN: usize = 10;

/// The look-backs that tell whether something is spreading, in hours.
const SPANS_HOURS: [i64; 4] = [1, 24, 7 * 24, 30 * 24];

/// Bars of growing height.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is known about one IP.
pub(super) struct Details {
    ip: CanonicalIp,
    window: Window,
    look_back: LookBack,
    statistics: IpStatistics,
    first_ever: Option<Timestamp>,
    /// Prevalence over each of [`SPANS_HOURS`].
    spans: Vec<(LookBack, u64)>,
    days: Vec<DayPrevalence>,
    devices: Vec<DeviceContact>,
}

impl Details {
    /// Asks for everything about `ip`.
    pub(super) fn of(ip: CanonicalIp, question: &Question<'_>) -> Result<Self, StoreError> {
        let Question { store, organization, window, look_back } = *question;
        let mut spans = Vec::new();
        for span in SPANS_HOURS.into_iter().filter_map(|hours| LookBack::from_hours(hours).ok()) {
            let statistics =
                store.statistics_here(organization, ip, Window::ending_at(window.now(), span))?;
            spans.push((span, prevalence(statistics)));
        }
        Ok(Self {
            ip,
            window,
            look_back,
            statistics: question.statistics(ip)?,
            first_ever: question.first_ever(ip)?,
            spans,
            days: store.devices_per_day_here(organization, ip, window.now())?,
            devices: store.devices_here(organization, ip, window)?,
        })
    }

    /// Some lines for a person.
    pub(super) fn text(&self, all_devices: bool) -> Result<String, fmt::Error> {
        let mut text = self.ip.to_string();
        let within = span(self.look_back);
        match self.statistics {
            IpStatistics::Seen { prevalence, first_seen, last_seen } => {
                let devices = if prevalence == 1 { "device" } else { "devices" };
                write!(text, "\n  contacted by  {prevalence} {devices} in the last {within}")?;
                self.time(&mut text, "first seen", first_seen)?;
                self.time(&mut text, "last seen", last_seen)?;
            }
            IpStatistics::NotInWindow => {
                write!(text, "\n  not contacted in the last {within}, but within the last 30 days")?;
            }
            IpStatistics::Unknown => write!(text, "\n  not contacted in the last 30 days")?,
        }
        match self.first_ever {
            Some(first_ever) => self.time(&mut text, "first ever", first_ever)?,
            None => write!(text, "\n  first ever    never")?,
        }
        if self.statistics != IpStatistics::Unknown {
            self.spread(&mut text)?;
            self.recent_devices(&mut text, if all_devices { usize::MAX } else { DEVICES_SHOWN })?;
        }
        Ok(text)
    }

    fn time(&self, text: &mut String, label: &str, time: Timestamp) -> fmt::Result {
        write!(text, "\n  {label:<12}  {time}  {}", age(time, self.window.now()))
    }

    fn spread(&self, text: &mut String) -> fmt::Result {
        let spans = self.spans.iter().map(|(look_back, count)| format!("{}: {count}", span(*look_back)));
        write!(text, "\n  devices in    {}", spans.collect::<Vec<_>>().join("   "))?;
        let busiest = self.days.iter().max_by_key(|day| day.prevalence);
        if let (Some(first), Some(last), Some(busiest)) = (self.days.first(), self.days.last(), busiest) {
            write!(text, "\n  per day       {}", sparkline(&self.days))?;
            write!(
                text,
                "\n                {} to {}, most: {} on {}",
                first.day, last.day, busiest.prevalence, busiest.day
            )?;
        }
        Ok(())
    }

    fn recent_devices(&self, text: &mut String, shown: usize) -> fmt::Result {
        if !self.devices.is_empty() {
            write!(text, "\n\n  LAST CONTACT       DEVICE")?;
        }
        for contact in self.devices.iter().take(shown) {
            let minute = self.window.shown(contact.last.start()).to_string();
            // To the minute: seconds are not kept for each device.
            let minute = minute.get(..16).unwrap_or(&minute).replace('T', " ");
            write!(text, "\n  {minute}   {}", Visible(&contact.device))?;
        }
        let more = self.devices.len().saturating_sub(shown);
        if more > 0 {
            write!(text, "\n  and {more} more (--all-devices shows them)")?;
        }
        Ok(())
    }
}

fn prevalence(statistics: IpStatistics) -> u64 {
    match statistics {
        IpStatistics::Seen { prevalence, .. } => prevalence,
        IpStatistics::NotInWindow | IpStatistics::Unknown => 0,
    }
}

/// One character a day, from `▁` to `█`; `·` without a contact.
fn sparkline(days: &[DayPrevalence]) -> String {
    let most = days.iter().map(|day| day.prevalence).max().unwrap_or(0).max(1);
    let bar = |count: u64| {
        // 1 to `most` in eighths of `most`, rounded up.
        let height = count.saturating_mul(BARS.len() as u64).div_ceil(most);
        let place = height.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| BARS.get(place)).copied().unwrap_or('·')
    };
    days.iter().map(|day| bar(day.prevalence)).collect()
}

/// How long ago `time` was.
fn age(time: Timestamp, now: Timestamp) -> String {
    match now.second().saturating_sub(time.second()) {
        ..60 => "just now".to_owned(),
        seconds @ 60..7200 => format!("{} min ago", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipstats_model::{Day, Minute};

    fn days(prevalences: &[u64]) -> Vec<DayPrevalence> {
        let day = |(index, prevalence): (u32, &u64)| DayPrevalence {
            day: Day::from_index(17_377 + index),
            prevalence: *prevalence,
        };
        (0..).zip(prevalences).map(day).collect()
    }

    #[test]
    fn bars_grow_with_the_devices() {
        assert_eq!(sparkline(&days(&[0, 1, 4, 8])), "·▁▄█");
        assert_eq!(sparkline(&days(&[0, 1, 1000])), "·▁█");
        assert_eq!(sparkline(&days(&[0, 0])), "··");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn an_ip_is_shown_with_its_spread_and_its_latest_devices() {
        let now: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        let contact = |number: i64| DeviceContact {
            device: format!("host-{number}"),
            last: Minute::from_index(u32::try_from(now.second() / 60 - number).unwrap()),
        };
        let look_back = LookBack::from_hours(48).unwrap();
        let details = Details {
            ip: "10.209.67.177".parse().unwrap(),
            window: Window::ending_at(now, look_back),
            look_back,
            statistics: IpStatistics::Seen {
                prevalence: 11,
                first_seen: now.plus_seconds(-100_000),
                last_seen: now.plus_seconds(-150),
            },
            first_ever: Some(now.plus_seconds(-40 * 86_400)),
            spans: vec![(LookBack::from_hours(1).unwrap(), 2), (LookBack::MAX, 11)],
            days: days(&[0, 2, 8]),
            devices: (2..13).map(contact).collect(),
        };
        let text = details.text(false).unwrap();
        assert_eq!(
            text.lines().take(12).collect::<Vec<_>>(),
            [
                "10.209.67.177",
                "  contacted by  11 devices in the last 2 days",
                "  first seen    2017-08-28T09:46:19Z  27 hours ago",
                "  last seen     2017-08-29T13:30:29Z  2 min ago",
                "  first ever    2017-07-20T13:32:59Z  40 days ago",
                "  devices in    hour: 2   30 days: 11",
                "  per day       ·▂█",
                "                2017-07-30 to 2017-08-01, most: 8 on 2017-08-01",
                "",
                "  LAST CONTACT       DEVICE",
                "  2017-08-29 13:30   host-2",
                "  2017-08-29 13:29   host-3",
            ]
        );
        assert!(text.ends_with("host-11\n  and 1 more (--all-devices shows them)"), "{text}");
        assert!(details.text(true).unwrap().ends_with("host-12"));
    }
}
