//! Why a datagram, or a part of it, cannot be read.

/// Why a datagram of NetFlow or IPFIX, or a part of it, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum DatagramError {
    /// A datagram of another protocol, or of a version that is not read.
    #[error(
        "not NetFlow 5, NetFlow 9 or IPFIX (10): the version is {version}; set the exporter to one of these, and send other messages \
         to another port"
    )]
    Version {
        /// The first two bytes.
        version: u16,
    },
    /// A datagram of sFlow.
    #[error("sFlow, which samples packets and is not read; set the device to NetFlow or IPFIX")]
    Sflow,
    /// The datagram ends before it should.
    #[error(
        "cut off in {part}; let the exporter send smaller datagrams, and look for what cuts them on the way"
    )]
    CutOff {
        /// What is cut off.
        part: &'static str,
    },
    /// A length that cannot be right.
    #[error("{part} has a length of {length}, which is too short; the exporter is in error: update it")]
    Length {
        /// What has it.
        part: &'static str,
        /// The length, in bytes.
        length: u16,
    },
    /// Bytes that are not a record, and not padding either, because not all are 0.
    #[error(
        "{bytes} bytes after {part} are neither a record nor padding; the exporter is in error: update it"
    )]
    Trailing {
        /// What they follow.
        part: &'static str,
        /// How many they are.
        bytes: usize,
    },
    /// A template with an id that no set of records can have.
    #[error("template {id} has an id below 256; the exporter is in error: update it")]
    TemplateId {
        /// The id.
        id: u16,
    },
    /// A template with too many fields.
    #[error(
        "template {id} has more than {fields_max} fields, those that are skipped side by side counted as one; export fewer"
    )]
    TemplateTooLong {
        /// The id.
        id: u16,
        /// The limit.
        fields_max: usize,
    },
    /// A template whose records have no bytes.
    #[error("template {id} has only fields of length 0; export flow fields with it")]
    TemplateEmpty {
        /// The id.
        id: u16,
    },
    /// A flow record without any time.
    #[error(
        "no time of the flow; let the exporter send flowStartMilliseconds (152), or flowStartSysUpTime (22) with NetFlow v9"
    )]
    NoTime,
}
