//! What is known of the data sets that are written as ECS documents: an envelope proves nothing, so this table decides who the device of
//! a document is, and which of its records are opened connections. docs/sources.md shows it.

use super::document::Document;

/// Who wrote the documents of a data set, and how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSet {
    /// An agent on the host, which speaks of that host: the device is `host.id`, `agent.id` or `host.name`.
    Host,
    /// Linux' audit trail of the host: of its events only `connected-to`, which has a destination and no source.
    Auditd,
    /// Packetbeat's flows: of the host if an end is in `host.ip`, of a mirror port if not.
    Packetbeat,
    /// Zeek's logs: the conn log, by its state.
    Zeek,
    /// Suricata's events, by the record inside.
    Suricata,
    /// NetFlow and IPFIX: a record is of one direction, and `network.direction` is that of the router's interface.
    Netflow,
    /// Amazon's VPC flow logs: a record is of one direction through one interface.
    AwsVpcFlow,
    /// Flow logs of one direction without TCP flags.
    VpcFlow,
    /// A log of sessions, whose source opened them; `network.direction` shows which ends are inside the perimeter.
    Sessions,
    /// The same, but `network.direction` is that of a packet at an interface, which shows nothing.
    SessionsByInterface,
    /// Defender's tables, from its streaming API: an agent on the host, whose actions decide.
    Defender,
    /// `CrowdStrike`'s Falcon Data Replicator: the same.
    CrowdStrike,
    /// `SentinelOne`'s Cloud Funnel: the same, by direction and status.
    SentinelOne,
    /// Nothing is known of it: a log of sessions, as far as each document says that it is one.
    Unknown,
    /// Documents that hold many flows each, whose ends are lists.
    ManyFlows,
}

/// The data sets, by `event.dataset`, or the module or agent in front of its dot. What is not here is [`DataSet::Unknown`].
const DATA_SETS: [(&str, DataSet); 41] = [
    ("endpoint", DataSet::Host),
    ("system", DataSet::Host),
    ("auditbeat", DataSet::Host),
    ("sysmon_linux", DataSet::Host),
    ("auditd", DataSet::Auditd),
    ("auditd_manager", DataSet::Auditd),
    ("network_traffic", DataSet::Packetbeat),
    ("packetbeat", DataSet::Packetbeat),
    ("zeek", DataSet::Zeek),
    ("corelight", DataSet::Zeek),
    ("suricata", DataSet::Suricata),
    ("netflow", DataSet::Netflow),
    ("aws.vpcflow", DataSet::AwsVpcFlow),
    ("gcp.vpcflow", DataSet::VpcFlow),
    ("googlecloud.vpcflow", DataSet::VpcFlow),
    ("azure_network_watcher_nsg", DataSet::ManyFlows),
    ("azure_network_watcher_vnet", DataSet::ManyFlows),
    ("pfsense", DataSet::SessionsByInterface),
    ("opnsense", DataSet::SessionsByInterface),
    ("iptables", DataSet::SessionsByInterface),
    ("checkpoint", DataSet::SessionsByInterface),
    ("m365_defender.event", DataSet::Defender),
    ("crowdstrike.fdr", DataSet::CrowdStrike),
    ("sentinel_one_cloud_funnel.event", DataSet::SentinelOne),
    ("cisco.asa", DataSet::Sessions),
    ("cisco.ftd", DataSet::Sessions),
    ("cisco.ios", DataSet::Sessions),
    ("cisco.meraki", DataSet::Sessions),
    ("cisco_asa", DataSet::Sessions),
    ("cisco_ftd", DataSet::Sessions),
    ("cisco_ios", DataSet::Sessions),
    ("cisco_meraki", DataSet::Sessions),
    ("panw", DataSet::Sessions),
    ("fortinet.firewall", DataSet::Sessions),
    ("fortinet_fortigate", DataSet::Sessions),
    ("sophos", DataSet::Sessions),
    ("sonicwall_firewall", DataSet::Sessions),
    ("juniper_srx", DataSet::Sessions),
    ("watchguard_firebox", DataSet::Sessions),
    ("barracuda_cloudgen_firewall", DataSet::Sessions),
    ("stormshield", DataSet::Sessions),
];

impl DataSet {
    /// The data set of a document: by `event.dataset` with its module, by `event.module`, by `event.provider` (Malcolm), by
    /// `data_stream.dataset`, or else by the agent.
    pub(super) fn of(document: &Document<'_>) -> Self {
        let [dataset, module, provider, stream, agent] = document.origins();
        if let (Some(module), Some(dataset)) = (module, dataset)
            && !dataset.contains('.')
            && let Some(found) = DATA_SETS.iter().find(|(name, _)| is_joined(name, module, dataset))
        {
            return found.1;
        }
        let mut origins = [dataset, module, provider, stream, agent].into_iter().flatten();
        origins.find_map(Self::named).unwrap_or(Self::Unknown)
    }

    /// The data set of this name, or of the name in front of its dot.
    fn named(name: &str) -> Option<Self> {
        let is_it = |known: &str| {
            name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
                && matches!(name.as_bytes().get(known.len()), None | Some(b'.'))
        };
        DATA_SETS.iter().find(|(known, _)| is_it(known)).map(|(_, set)| *set)
    }
}

/// Whether `name` is a module and a data set with a dot between them.
fn is_joined(name: &str, module: &str, dataset: &str) -> bool {
    let parts = name.split_once('.');
    parts.is_some_and(|(known_module, known_dataset)| {
        known_module.eq_ignore_ascii_case(module) && known_dataset.eq_ignore_ascii_case(dataset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_set_is_known_by_name_and_module() {
        for (name, set) in [
            ("endpoint.events.network", Some(DataSet::Host)),
            ("system.socket", Some(DataSet::Host)),
            ("auditd_manager.auditd", Some(DataSet::Auditd)),
            ("Zeek.connection", Some(DataSet::Zeek)),
            ("netflow.log", Some(DataSet::Netflow)),
            ("aws.vpcflow", Some(DataSet::AwsVpcFlow)),
            ("aws.elb_logs", None),
            ("zeekish", None),
            ("", None),
        ] {
            assert_eq!(DataSet::named(name), set, "{name}");
        }
        let of = |text: &str| DataSet::of(&serde_json::from_str(text).unwrap());
        for (text, set) in [
            (r#"{"event":{"module":"aws","dataset":"vpcflow"}}"#, DataSet::AwsVpcFlow),
            (r#"{"event":{"module":"zeek","dataset":"conn"}}"#, DataSet::Zeek),
            (r#"{"event":{"provider":"zeek","dataset":"conn"}}"#, DataSet::Zeek),
            (r#"{"data_stream":{"dataset":"zeek.dns"}}"#, DataSet::Zeek),
            (r#"{"event":{"module":"system","dataset":"socket"}}"#, DataSet::Host),
            (r#"{"agent":{"type":"packetbeat"},"event":{"dataset":"flow"}}"#, DataSet::Packetbeat),
            (r#"{"agent":{"type":"filebeat"},"event":{"dataset":"netflow.log"}}"#, DataSet::Netflow),
            (r#"{"agent":{"type":"filebeat"},"event":{"dataset":"cisco_asa.log"}}"#, DataSet::Sessions),
            (r#"{"event":{"module":"cisco","dataset":"asa"}}"#, DataSet::Sessions),
            (r#"{"event":{"dataset":"cisco_umbrella.log"}}"#, DataSet::Unknown),
            (r#"{"event":{"module":"m365_defender","dataset":"m365_defender.event"}}"#, DataSet::Defender),
            (r#"{"event":{"dataset":"m365_defender.alert"}}"#, DataSet::Unknown),
            ("{}", DataSet::Unknown),
        ] {
            assert_eq!(of(text), set, "{text}");
        }
    }
}
