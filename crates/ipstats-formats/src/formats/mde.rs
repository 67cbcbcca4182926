//! What a DeviceNetworkEvents record of Defender says, whatever way it was exported.

use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::outcome::NotAConnection;
use crate::reader::{Outcome, Progress, Reader};
use serde::Deserialize;

/// The columns of DeviceNetworkEvents that are read.
#[derive(Deserialize, Default, Debug)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct NetworkEvent<'a> {
    #[serde(borrow)]
    pub(super) timestamp: Scalar<'a>,
    /// The time column of Sentinel, which need not have the other.
    #[serde(borrow)]
    pub(super) time_generated: Scalar<'a>,
    #[serde(borrow)]
    pub(super) device_id: Scalar<'a>,
    #[serde(borrow, rename = "RemoteIP")]
    pub(super) remote_ip: Scalar<'a>,
    #[serde(borrow)]
    pub(super) action_type: Scalar<'a>,
}

impl NetworkEvent<'_> {
    /// Records the event if it is a connection of its device.
    ///
    /// The action comes first: events of other tables need not have the other fields.
    pub(super) fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        reader.counts(progress(self.action_type.needed_text("ActionType")?)?)?;
        let Some(ip) = self.remote_ip.ip("RemoteIP")? else { return Err(NotAConnection::NoRemoteIp.into()) };
        let device = self.device_id.needed_text("DeviceId")?;
        let at = match self.timestamp {
            Scalar::Null => self.time_generated.time("TimeGenerated", Zone::Utc)?,
            _ => self.timestamp.time("Timestamp", Zone::Utc)?,
        };
        reader.connection(device, ip, at)
    }
}

/// What each `ActionType` means.
const ACTIONS: [(&str, Result<Progress, NotAConnection>); 10] = [
    ("ConnectionSuccess", Ok(Progress::Opened)),
    ("ConnectionFailed", Ok(Progress::Attempted)),
    ("InboundConnectionAccepted", Err(NotAConnection::Inbound)),
    ("ListeningConnectionCreated", Err(NotAConnection::Listening)),
    ("ConnectionRequest", Ok(Progress::Opened)),
    ("ConnectionFound", Ok(Progress::Opened)),
    ("ConnectionAttempt", Ok(Progress::Attempted)),
    // A packet of a handshake that the sensor saw on the wire: the record does not show whose connection it is.
    ("ConnectionAcknowledged", Err(NotAConnection::Inspected)),
    ("ConnectionSuccessAggregatedReport", Ok(Progress::Opened)),
    ("ConnectionFailedAggregatedReport", Ok(Progress::Attempted)),
];

/// How far the connection got, by `ActionType`, whose case pipelines change.
pub(super) fn progress(action: &str) -> Result<Progress, NotAConnection> {
    const INSPECTED: &str = "Inspected";
    if let Some((_, meaning)) = ACTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(action)) {
        return *meaning;
    }
    let end = action.len().checked_sub(INSPECTED.len()).and_then(|start| action.get(start..));
    match end {
        Some(end) if end.eq_ignore_ascii_case(INSPECTED) => Err(NotAConnection::Inspected),
        _ => Err(NotAConnection::OtherEvent),
    }
}
