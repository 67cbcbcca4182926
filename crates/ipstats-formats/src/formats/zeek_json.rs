//! Zeek conn.log as JSON (also Corelight): `id.orig_h`, `id_orig_h` or a nested `id`.

use crate::fields::json::{self, Nested};
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::formats::zeek::{self, Icmp};
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
use serde::Deserialize;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::ZeekJson,
    recognizes: |keys| {
        let has_ends = keys.has_top("id.orig_h")
            || keys.has_top("id_orig_h")
            || (keys.has_top("id") && keys.has("orig_h"));
        keys.has_top("ts") && has_ends
    },
    lists: &[],
    record: read,
    knows_other_events: false,
    wraps: false,
};

/// A record. `_write_ts` is when it was written, not when the connection began, and is not read.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    ts: Scalar<'a>,
    #[serde(borrow)]
    id: Nested<Id<'a>>,
    #[serde(borrow, rename = "id.orig_h", alias = "id_orig_h")]
    orig_h: Scalar<'a>,
    #[serde(borrow, rename = "id.resp_h", alias = "id_resp_h")]
    resp_h: Scalar<'a>,
    #[serde(borrow)]
    proto: Scalar<'a>,
    #[serde(borrow)]
    conn_state: Scalar<'a>,
    #[serde(borrow)]
    history: Scalar<'a>,
    #[serde(borrow, rename = "_path")]
    path: Scalar<'a>,
    #[serde(borrow)]
    local_orig: Scalar<'a>,
    #[serde(borrow)]
    local_resp: Scalar<'a>,
    #[serde(borrow)]
    orig_l2_addr: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Id<'a> {
    #[serde(borrow)]
    orig_h: Scalar<'a>,
    #[serde(borrow)]
    resp_h: Scalar<'a>,
}

/// What is read of ICMP besides, which is rare.
#[derive(Deserialize, Default)]
#[serde(default)]
struct IcmpRecord<'a> {
    #[serde(borrow)]
    id: Nested<IcmpId<'a>>,
    /// The type of the message.
    #[serde(borrow, rename = "id.orig_p", alias = "id_orig_p")]
    orig_p: Scalar<'a>,
    #[serde(borrow)]
    orig_pkts: Scalar<'a>,
    #[serde(borrow)]
    resp_pkts: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IcmpId<'a> {
    #[serde(borrow)]
    orig_p: Scalar<'a>,
}

fn read(text: &str, reader: &mut Reader<'_>) -> Outcome {
    let record: Record<'_> = json::object(text)?;
    // Only conn.log has connection states, whatever `_path` calls it.
    let Some(state) = record.conn_state.text("conn_state")? else {
        if let Scalar::Text(path) = &record.path {
            zeek::note_other_log(path, reader);
        }
        return Err(NotAConnection::OtherEvent.into());
    };
    let (originator, responder) = match &record.id.0 {
        Some(id) => (&id.orig_h, &id.resp_h),
        None => (&record.orig_h, &record.resp_h),
    };
    let originator = originator.ip("id.orig_h")?.ok_or(Malformed::Missing { field: "id.orig_h" })?;
    let progress = match &record.proto {
        Scalar::Text(proto) if zeek::is_icmp(proto.as_bytes()) => icmp(text)?.progress(originator)?,
        _ => zeek::progress(state.as_bytes())
            .ok_or_else(|| record.conn_state.is_not(zeek::A_CONN_STATE, "conn_state"))?,
    };
    if let (false, Scalar::Text(history)) = (progress == Progress::Opened, &record.history) {
        zeek::note_history(history.as_bytes(), reader);
    }
    reader.flow(&Flow {
        // Whole milliseconds are `JSON::TS_MILLIS`.
        at: record.ts.time_or_millis("ts")?,
        originator,
        responder: responder.ip("id.resp_h")?.ok_or(NotAConnection::NoRemoteIp)?,
        originator_internal: record.local_orig.flag(),
        responder_internal: record.local_resp.flag(),
        originator_name: None,
        originator_mac: record.orig_l2_addr.text("orig_l2_addr")?,
        progress,
    })
}

fn icmp(text: &str) -> Result<Icmp, Malformed> {
    let record: IcmpRecord<'_> = json::object(text)?;
    let message_type = record.id.0.as_ref().map_or(&record.orig_p, |id| &id.orig_p);
    Ok(Icmp {
        message_type: message_type.number().and_then(|kind| kind.try_into().ok()),
        originator_packets: record.orig_pkts.count(),
        responder_packets: record.resp_pkts.count(),
    })
}
