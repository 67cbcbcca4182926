//! Documents of agents of other vendors, which Elastic Agent collects from the vendor's cloud. The device is the host that the agent
//! runs on; `agent` is the collector.

use super::document::{Direction, Document};
use crate::fields::json::Nested;
use crate::fields::scalar::Scalar;
use crate::formats::mde;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Progress, Reader};
use ipstats_model::CanonicalIp;
use serde::Deserialize;

/// What Elastic's pipeline keeps of a record of `SentinelOne`.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct SentinelOne<'a> {
    #[serde(borrow)]
    event: Nested<SentinelOneEvent<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct SentinelOneEvent<'a> {
    /// `ip`, if it is about a connection.
    #[serde(borrow)]
    category: Scalar<'a>,
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow)]
    network: Nested<SentinelOneNetwork<'a>>,
    #[serde(borrow)]
    connection: Nested<SentinelOneConnection<'a>>,
    #[serde(borrow)]
    agent: Nested<SentinelOneAgent<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct SentinelOneNetwork<'a> {
    #[serde(borrow)]
    connection_status: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct SentinelOneConnection<'a> {
    #[serde(borrow)]
    status: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct SentinelOneAgent<'a> {
    #[serde(borrow)]
    uuid: Scalar<'a>,
}

/// What `CrowdStrike` calls its events, without the version of IP at the end.
const CONNECT: &str = "NetworkConnectIP";
const ACCEPT: &str = "NetworkReceiveAcceptIP";
const LISTEN: &str = "NetworkListenIP";

impl Document<'_> {
    /// Defender's: the action is its `ActionType`.
    pub(super) fn defender(&self, destination: Option<CanonicalIp>, reader: &mut Reader<'_>) -> Outcome {
        let action = self.action().ok_or(NotAConnection::OtherEvent)?;
        self.by_host(None, mde::progress(action)?, destination, reader)
    }

    pub(super) fn crowdstrike(&self, destination: Option<CanonicalIp>, reader: &mut Reader<'_>) -> Outcome {
        let action = self.action().unwrap_or_default();
        let starts =
            |name: &str| action.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if starts(LISTEN) {
            return Err(NotAConnection::Listening.into());
        }
        if starts(ACCEPT) || (starts(CONNECT) && self.direction() == Direction::In) {
            return Err(NotAConnection::Inbound.into());
        }
        if !starts(CONNECT) {
            return Err(NotAConnection::OtherEvent.into());
        }
        self.by_host(None, self.progress(), destination, reader)
    }

    pub(super) fn sentinel_one(&self, destination: Option<CanonicalIp>, reader: &mut Reader<'_>) -> Outcome {
        let nothing = SentinelOneEvent::default();
        let event = self.sentinel_one.0.as_ref().and_then(|record| record.event.0.as_ref());
        let event = event.unwrap_or(&nothing);
        if !event.category.is_nothing() && !event.category.is("ip") {
            return Err(NotAConnection::OtherEvent.into());
        }
        if event.kind.is_any(&["IPListen", "IP Listen"]) {
            return Err(NotAConnection::Listening.into());
        }
        match self.direction() {
            Direction::In => return Err(NotAConnection::Inbound.into()),
            Direction::Unknown => return Err(NotAConnection::DirectionUnknown.into()),
            Direction::Out => {}
        }
        let is_failure = |status: &Scalar<'_>| status.is_any(&["failure", "failed", "blocked"]);
        let is_failed =
            event.network.0.as_ref().is_some_and(|network| is_failure(&network.connection_status))
                || event.connection.0.as_ref().is_some_and(|connection| is_failure(&connection.status));
        let progress = if is_failed { Progress::Attempted } else { self.progress() };
        let agent = event.agent.0.as_ref().map(|agent| &agent.uuid);
        self.by_host(agent, progress, destination, reader)
    }

    /// Records a connection of the host: `host.id`, else the vendor's id of its agent, else `device.id`, else the host's name.
    fn by_host(
        &self,
        agent: Option<&Scalar<'_>>,
        progress: Progress,
        destination: Option<CanonicalIp>,
        reader: &mut Reader<'_>,
    ) -> Outcome {
        reader.counts(progress)?;
        self.check_icmp()?;
        let destination = destination.ok_or(NotAConnection::NoRemoteIp)?;
        let agent =
            agent.map_or(Ok(None), |agent| agent.text("sentinel_one_cloud_funnel.event.agent.uuid"))?;
        let device = match (self.host_id()?, agent) {
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => self
                .device_id()?
                .or(self.host_name()?)
                .or(self.hostname()?)
                .ok_or(Malformed::Missing { field: "host.id, device.id or host.name" })?,
        };
        reader.connection(device, destination, self.time()?)
    }
}
