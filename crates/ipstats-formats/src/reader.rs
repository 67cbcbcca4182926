//! The rules all formats share: who the device is, which end is internal, and where a record ends up.

use crate::fields::networks::Networks;
use crate::formats::mapped::FieldMap;
use crate::formats::zeek_tsv;
use crate::frame::Frame;
use crate::hints::Hints;
use crate::outcome::{Malformed, NotAConnection};
use crate::settings::{CountRule, DeviceFrom, Originator, Settings};
use crate::tally::Tally;
use ipstats_model::{Batch, CanonicalIp, Organization, Timestamp};

/// Where connections go while the records of a frame are parsed.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    settings: &'a Settings,
    rules: &'a Rules,
    batch: &'a mut Batch,
    tally: &'a mut Tally,
    /// Holds a device name while it is put together.
    device: String,
    /// The line the current record starts on.
    line: u64,
    /// What is wrong with the first malformed record.
    problem: Option<Malformed>,
}

/// Settings in the form in which records are checked against them; building them costs as much as reading a record.
#[derive(Debug)]
pub(crate) struct Rules {
    internal: Networks,
    /// Columns of Zeek rows that arrive as text without a header.
    columns: Option<zeek_tsv::Columns>,
}

/// What became of a record: `Ok` is a connection in the batch.
pub(crate) type Outcome = Result<(), Rejected>;

/// Why a record is not in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejected {
    NotAConnection(NotAConnection),
    Malformed(Malformed),
    /// Its parts were counted one by one.
    Counted,
}

/// How far a connection got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Initiated and established.
    Opened,
    /// Initiated; refused, or without an answer.
    Attempted,
    /// Seen in midstream only.
    StartNotSeen,
}

/// A record of a format that shows two endpoints and names no device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow<'a> {
    pub(crate) at: Timestamp,
    pub(crate) originator: CanonicalIp,
    pub(crate) responder: CanonicalIp,
    /// What the log itself says about the ends; it precedes the configured networks.
    pub(crate) originator_internal: Option<bool>,
    pub(crate) responder_internal: Option<bool>,
    /// The log's own stable name of the originator, in place of its address.
    pub(crate) originator_name: Option<&'a str>,
    /// Hardware address of the originator.
    pub(crate) originator_mac: Option<&'a str>,
    pub(crate) progress: Progress,
}

impl Rules {
    pub(crate) fn new(settings: &Settings) -> Self {
        let internal = Networks::new(&settings.internal_networks);
        Self { internal, columns: zeek_tsv::Columns::named(&settings.columns) }
    }
}

impl<'a> Reader<'a> {
    /// A reader by `rules`, which are those of `settings`.
    pub(crate) const fn new(
        settings: &'a Settings,
        rules: &'a Rules,
        batch: &'a mut Batch,
        tally: &'a mut Tally,
    ) -> Self {
        Self { settings, rules, batch, tally, device: String::new(), line: 0, problem: None }
    }

    /// Reads the record that starts on `line`, and counts its outcome.
    pub(crate) fn record(&mut self, line: u64, read: impl FnOnce(&mut Self) -> Outcome) {
        self.line = line;
        let outcome = read(self);
        self.count(outcome);
    }

    /// Reads each row of a record that holds several, which count one by one. One without any is another event.
    pub(crate) fn each<T>(
        &mut self,
        rows: impl Iterator<Item = T>,
        mut read: impl FnMut(T, &mut Self) -> Outcome,
    ) -> Outcome {
        let mut last = Err(NotAConnection::OtherEvent.into());
        for (number, row) in rows.enumerate() {
            let outcome = read(row, self);
            let before = std::mem::replace(&mut last, outcome);
            if number > 0 {
                self.count(before);
            }
        }
        last
    }

    pub(crate) const fn settings(&self) -> &Settings {
        self.settings
    }

    /// The outcome of a record of `tenant`, which is not the organization; nothing where it is no tenant id at all.
    pub(crate) fn other_tenant(&mut self, tenant: Option<Organization>) -> Outcome {
        tenant.into_iter().for_each(|tenant| self.tally.belongs_to(tenant));
        Err(NotAConnection::OtherTenant.into())
    }

    /// Keeps what a record shows about the cause of its outcome.
    pub(crate) const fn hints_mut(&mut self) -> &mut Hints {
        self.tally.hints_mut()
    }

    /// Counts the outcome of a record. A connection was counted when it was recorded.
    pub(crate) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Ok(()) | Err(Rejected::Counted) => {}
            Err(Rejected::NotAConnection(reason)) => self.tally.not_a_connection_for(reason),
            Err(Rejected::Malformed(problem)) => {
                self.problem.get_or_insert_with(|| problem.clone());
                self.tally.malformed_at(self.line, problem);
            }
        }
    }

    /// Parses the frames of a table whose rows arrive as records: their outcomes are those of the current record.
    pub(crate) fn read_frames(&mut self, frames: &[Frame]) {
        let mut rows = Tally::default();
        frames.iter().for_each(|frame| frame.parse(self.settings, self.batch, &mut rows));
        if let Some(issue) = rows.issues().first() {
            self.problem.get_or_insert_with(|| issue.problem.clone());
        }
        self.tally.merge(&rows.on_line(self.line));
    }

    /// What is wrong with the first malformed record since the last call.
    pub(crate) const fn take_problem(&mut self) -> Option<Malformed> {
        self.problem.take()
    }

    /// Columns of Zeek rows that arrive as text without a header.
    pub(crate) const fn columns(&self) -> Option<&'a zeek_tsv::Columns> {
        self.rules.columns.as_ref()
    }

    /// Which fields records of no known format have.
    pub(crate) fn map(&self) -> Option<&'a FieldMap> {
        self.settings.map.as_deref()
    }

    /// Records that `device` opened a connection to `ip` at `at`.
    pub(crate) fn connection(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> Outcome {
        if is_unspecified(ip) {
            return Err(NotAConnection::NoRemoteIp.into());
        }
        if self.settings.not_devices.contain_name(device) {
            return Err(NotAConnection::Relay.into());
        }
        self.batch.push(device, ip, at).map_err(Malformed::from)?;
        self.tally.connection(at);
        Ok(())
    }

    /// Whether a connection that got this far counts.
    pub(crate) const fn counts(&self, progress: Progress) -> Result<(), NotAConnection> {
        match (progress, self.settings.count) {
            (Progress::Opened, _) | (Progress::Attempted, CountRule::Attempted) => Ok(()),
            (Progress::Attempted, CountRule::Opened) => Err(NotAConnection::Failed),
            (Progress::StartNotSeen, _) => Err(NotAConnection::StartNotSeen),
        }
    }

    /// Whether an address is in the organization's own networks.
    pub(crate) fn is_internal(&self, ip: CanonicalIp) -> bool {
        self.rules.internal.contain(ip)
    }

    /// Whether a name of what would be the device is that of a relay.
    pub(crate) fn check_not_relay(&self, name: Option<&str>) -> Result<(), NotAConnection> {
        match name {
            Some(name) if self.settings.not_devices.contain_name(name) => Err(NotAConnection::Relay),
            _ => Ok(()),
        }
    }

    /// Records a flow if its originator is a device of the organization.
    pub(crate) fn flow(&mut self, flow: &Flow<'_>) -> Outcome {
        if is_unspecified(flow.responder) {
            return Err(NotAConnection::NoRemoteIp.into());
        }
        let is_internal = |said: Option<bool>, ip| said.unwrap_or_else(|| self.is_internal(ip));
        if !is_internal(flow.originator_internal, flow.originator) {
            if is_internal(flow.responder_internal, flow.responder) {
                return Err(NotAConnection::Inbound.into());
            }
            if self.settings.originator == Originator::ByNetworks {
                return Err(NotAConnection::NotInternal.into());
            }
        }
        if self.settings.not_devices.contain_ip(flow.originator) {
            return Err(NotAConnection::Relay.into());
        }
        self.counts(flow.progress)?;
        if let (DeviceFrom::Mac, Some(mac)) = (self.settings.device_from, flow.originator_mac) {
            let normal = |c: char| if c == '-' { ':' } else { c.to_ascii_lowercase() };
            return self.named(flow.responder, flow.at, |name| name.extend(mac.chars().map(normal)));
        }
        if let Some(name) = flow.originator_name {
            return self.connection(name, flow.responder, flow.at);
        }
        let settings = self.settings;
        if let Some(name) =
            settings.aliases.as_deref().and_then(|aliases| aliases.name(flow.originator, flow.at))
        {
            return self.connection(name, flow.responder, flow.at);
        }
        match &self.settings.site {
            Some(site) => self.named(flow.responder, flow.at, |name| {
                name.extend([site.as_str(), "/", flow.originator.text().as_str()]);
            }),
            None => self.connection(flow.originator.text().as_str(), flow.responder, flow.at),
        }
    }

    /// Records that `device`, in lower case, opened a connection to `ip` at `at`.
    pub(crate) fn lower_case(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> Outcome {
        if device.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.named(ip, at, |name| name.extend(device.chars().map(|c| c.to_ascii_lowercase())))
        } else {
            self.connection(device, ip, at)
        }
    }

    fn named(&mut self, ip: CanonicalIp, at: Timestamp, write: impl FnOnce(&mut String)) -> Outcome {
        let mut device = std::mem::take(&mut self.device);
        device.clear();
        write(&mut device);
        let outcome = self.connection(&device, ip, at);
        self.device = device;
        outcome
    }
}

/// Whether an address is `0.0.0.0` or `::`, which are not the addresses of any host.
fn is_unspecified(ip: CanonicalIp) -> bool {
    let [.., 0, 0, 0, 0] = *ip.as_bytes() else { return false };
    ip.to_ip_addr().is_unspecified()
}

impl From<NotAConnection> for Rejected {
    fn from(reason: NotAConnection) -> Self {
        Self::NotAConnection(reason)
    }
}

impl From<Malformed> for Rejected {
    fn from(problem: Malformed) -> Self {
        Self::Malformed(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::not_devices::NotDevices;

    /// The device of a flow from `originator` to `responder`, or why it does not count.
    fn device(
        settings: &Settings,
        change: impl FnOnce(&mut Flow<'_>),
        ends: [&str; 2],
    ) -> Result<String, Rejected> {
        let [originator, responder] = ends.map(|ip| ip.parse().unwrap());
        let mut flow = Flow {
            at: Timestamp::from_second(60),
            originator,
            responder,
            originator_internal: None,
            responder_internal: None,
            originator_name: None,
            originator_mac: None,
            progress: Progress::Opened,
        };
        change(&mut flow);
        let (mut batch, mut tally) = (Batch::new(), Tally::default());
        Reader::new(settings, &Rules::new(settings), &mut batch, &mut tally).flow(&flow)?;
        assert_eq!(tally.connections(), 1);
        assert_eq!(batch.rows()[0].ip, flow.responder);
        Ok(batch.devices().next().unwrap().to_owned())
    }

    const INSIDE: &str = "10.0.0.1";
    const INSIDE_TOO: &str = "fe80::7";
    const OUTSIDE: &str = "8.8.8.8";
    const OUTSIDE_TOO: &str = "2001:db8::1";

    #[test]
    fn the_device_is_the_internal_originator() {
        let settings = Settings::default();
        assert_eq!(device(&settings, |_| {}, [INSIDE, OUTSIDE]), Ok(INSIDE.to_owned()));
        assert_eq!(device(&settings, |_| {}, [INSIDE_TOO, INSIDE]), Ok(INSIDE_TOO.to_owned()));
        assert_eq!(device(&settings, |_| {}, [OUTSIDE, INSIDE]), Err(NotAConnection::Inbound.into()));
        assert_eq!(
            device(&settings, |_| {}, [OUTSIDE, OUTSIDE_TOO]),
            Err(NotAConnection::NotInternal.into())
        );
        let any = Settings { originator: Originator::AlwaysDevice, ..settings };
        assert_eq!(device(&any, |_| {}, [OUTSIDE, OUTSIDE_TOO]), Ok(OUTSIDE.to_owned()));
        assert_eq!(device(&any, |_| {}, [OUTSIDE, INSIDE]), Err(NotAConnection::Inbound.into()));
    }

    #[test]
    fn what_the_log_says_precedes_the_networks() {
        let settings = Settings::default();
        let said = |originator, responder| {
            move |flow: &mut Flow<'_>| {
                flow.originator_internal = originator;
                flow.responder_internal = responder;
            }
        };
        assert_eq!(device(&settings, said(Some(true), None), [OUTSIDE, OUTSIDE_TOO]), Ok(OUTSIDE.to_owned()));
        let inbound = Err(NotAConnection::Inbound.into());
        assert_eq!(device(&settings, said(Some(false), Some(true)), [INSIDE, OUTSIDE]), inbound);
        let neither = Err(NotAConnection::NotInternal.into());
        assert_eq!(device(&settings, said(Some(false), Some(false)), [INSIDE, INSIDE_TOO]), neither);
        assert_eq!(device(&settings, said(Some(false), None), [INSIDE, INSIDE_TOO]), inbound);
    }

    #[test]
    fn a_device_is_named_by_site_and_ip_or_by_mac() {
        let mac = |flow: &mut Flow<'_>| flow.originator_mac = Some("08:00:27:AB:cd:02");
        let site = Settings { site: Some("berlin".to_owned()), ..Settings::default() };
        assert_eq!(device(&site, mac, [INSIDE, OUTSIDE]), Ok("berlin/10.0.0.1".to_owned()));
        let by_mac = Settings { device_from: DeviceFrom::Mac, ..site };
        assert_eq!(device(&by_mac, mac, [INSIDE, OUTSIDE]), Ok("08:00:27:ab:cd:02".to_owned()));
        let dashes = |flow: &mut Flow<'_>| flow.originator_mac = Some("08-00-27-AB-CD-02");
        assert_eq!(device(&by_mac, dashes, [INSIDE, OUTSIDE]), Ok("08:00:27:ab:cd:02".to_owned()));
        assert_eq!(device(&by_mac, |_| {}, [INSIDE, OUTSIDE]), Ok("berlin/10.0.0.1".to_owned()));
        let instance = |flow: &mut Flow<'_>| flow.originator_name = Some("i-0abc");
        assert_eq!(device(&by_mac, instance, [INSIDE, OUTSIDE]), Ok("i-0abc".to_owned()));
        let long = Settings { site: Some("x".repeat(300)), ..Settings::default() };
        let error = device(&long, |_| {}, [INSIDE, OUTSIDE]).unwrap_err();
        assert!(matches!(error, Rejected::Malformed(Malformed::DeviceTooLong { bytes: 309 })), "{error:?}");
    }

    #[test]
    fn relay_is_not_a_device() {
        let relays = ["10.0.0.1", "i-nat", "08:00:27:ab:cd:02"].map(|relay| relay.parse().unwrap());
        let settings = Settings { not_devices: NotDevices::new(relays), ..Settings::default() };
        let relay = Err(NotAConnection::Relay.into());
        assert_eq!(device(&settings, |_| {}, [INSIDE, OUTSIDE]), relay);
        assert_eq!(device(&settings, |_| {}, ["10.0.0.2", OUTSIDE]), Ok("10.0.0.2".to_owned()));
        assert_eq!(device(&settings, |_| {}, ["10.0.0.2", INSIDE]), Ok("10.0.0.2".to_owned()));
        let named = |flow: &mut Flow<'_>| flow.originator_name = Some("i-nat");
        assert_eq!(device(&settings, named, ["10.0.0.2", OUTSIDE]), relay);
        let mac = |flow: &mut Flow<'_>| flow.originator_mac = Some("08-00-27-AB-CD-02");
        let by_mac = Settings { device_from: DeviceFrom::Mac, ..settings };
        assert_eq!(device(&by_mac, mac, ["10.0.0.2", OUTSIDE]), relay);
    }

    #[test]
    fn unspecified_address_is_not_remote() {
        let settings = Settings::default();
        for unspecified in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            let none = Err(NotAConnection::NoRemoteIp.into());
            assert_eq!(device(&settings, |_| {}, [INSIDE, unspecified]), none, "{unspecified}");
            let (mut batch, mut tally) = (Batch::new(), Tally::default());
            let rules = Rules::new(&settings);
            let mut reader = Reader::new(&settings, &rules, &mut batch, &mut tally);
            let ip = unspecified.parse().unwrap();
            let outcome = reader.connection("pc", ip, Timestamp::from_second(60));
            assert_eq!(outcome, Err(NotAConnection::NoRemoteIp.into()), "{unspecified}");
        }
        assert_eq!(device(&settings, |_| {}, [INSIDE, "1.0.0.0"]), Ok(INSIDE.to_owned()));
    }

    #[test]
    fn attempts_count_where_the_operator_says_so() {
        let progress = |progress| move |flow: &mut Flow<'_>| flow.progress = progress;
        let opened = Settings::default();
        let attempted = Settings { count: CountRule::Attempted, ..Settings::default() };
        let ends = [INSIDE, OUTSIDE];
        let failed = Err(NotAConnection::Failed.into());
        assert_eq!(device(&opened, progress(Progress::Attempted), ends), failed);
        assert_eq!(device(&attempted, progress(Progress::Attempted), ends), Ok(INSIDE.to_owned()));
        for settings in [opened, attempted] {
            let midstream = Err(NotAConnection::StartNotSeen.into());
            assert_eq!(device(&settings, progress(Progress::StartNotSeen), ends), midstream);
        }
    }
}
