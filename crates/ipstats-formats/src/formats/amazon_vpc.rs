//! The rules for a record of Amazon's VPC flow logs, as text and inside documents of ECS. A record is of packets that went in one direction through one
//! interface.

use crate::flow_rules::FlowEvidence;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
use ipstats_model::{CanonicalIp, Timestamp};

/// One record.
#[derive(Debug)]
pub(super) struct VpcFlow<'a, T> {
    /// Security groups and network ACLs let the packets pass.
    pub(super) is_accepted: bool,
    pub(super) source: CanonicalIp,
    pub(super) destination: CanonicalIp,
    /// The packets have another source (`pkt-srcaddr`) than the interface.
    pub(super) is_source_passed_on: bool,
    /// The packets have another destination (`pkt-dstaddr`) than the interface.
    pub(super) is_destination_passed_on: bool,
    /// The way of the packets through the interface (`flow-direction`).
    pub(super) direction: Option<FlowDirection>,
    pub(super) instance: Option<&'a str>,
    pub(super) interface: Option<&'a str>,
    /// The address of the interface, if that is the source.
    pub(super) interface_address: Option<&'a str>,
    /// What shows the end that opened the connection. Nothing where the log has no such columns: there, the direction of the packets
    /// is all there is.
    pub(super) evidence: Option<FlowEvidence>,
    /// Reads when the first packet was seen.
    pub(super) at: T,
}

/// The way of packets, seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowDirection {
    Egress,
    Ingress,
}

impl<T: FnOnce() -> Result<Timestamp, Malformed>> VpcFlow<'_, T> {
    /// Records the flow if the interface is a device's that opened it.
    pub(super) fn read(self, reader: &mut Reader<'_>) -> Outcome {
        if self.direction == Some(FlowDirection::Ingress) {
            return Err(NotAConnection::Inbound.into());
        }
        let is_egress = self.direction == Some(FlowDirection::Egress);
        // The interface is of neither end: of a NAT gateway or a load balancer. That of an instance may send for its containers,
        // which have addresses of their own.
        if (self.is_destination_passed_on && !is_egress)
            || (self.is_source_passed_on && self.instance.is_none())
        {
            return Err(NotAConnection::Relay.into());
        }
        // Between two of the organization's own, either may be whose interface this is, unless the direction is known.
        let is_its_interface = is_egress || !reader.is_internal(self.destination);
        if is_its_interface {
            for name in [self.instance, self.interface, self.interface_address] {
                reader.check_not_relay(name)?;
            }
        }
        let progress = match self.evidence {
            Some(evidence) => evidence.opener()?.source_progress()?,
            None => Progress::Opened,
        };
        reader.flow(&Flow {
            at: (self.at)()?,
            originator: self.source,
            responder: self.destination,
            originator_internal: is_egress.then_some(true),
            responder_internal: None,
            originator_name: self.instance.or(self.interface).filter(|_| is_its_interface),
            originator_mac: None,
            progress: match progress {
                Progress::Opened if !self.is_accepted => Progress::Attempted,
                progress => progress,
            },
        })
    }
}
