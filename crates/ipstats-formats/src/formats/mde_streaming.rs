//! Defender's streaming export of DeviceNetworkEvents: `{"records":[…]}` (Event Hubs) or one record a line (Storage).

use crate::fields::json::{self, Nested};
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::formats::mde::NetworkEvent;
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Reader};
use ipstats_model::Organization;
use serde::Deserialize;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::MdeStreaming,
    recognizes: |keys| {
        let marks = ["category", "properties", "tenantId"];
        marks.into_iter().filter(|mark| keys.has_top(mark)).count() >= 2
    },
    lists: &["records"],
    record: |text, reader| read(&json::object(text)?, reader),
    knows_other_events: false,
    wraps: false,
};

/// The category of the one table that is read.
const CATEGORY: &str = "AdvancedHunting-DeviceNetworkEvents";

/// The envelope. Its `time` is when the record was sent, and is not read.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow, rename = "tenantId")]
    tenant_id: Scalar<'a>,
    #[serde(borrow)]
    category: Scalar<'a>,
    #[serde(borrow)]
    properties: Nested<NetworkEvent<'a>>,
}

fn read(record: &Record<'_>, reader: &mut Reader<'_>) -> Outcome {
    if !record.category.needed_text("category")?.eq_ignore_ascii_case(CATEGORY) {
        return Err(NotAConnection::OtherEvent.into());
    }
    if let (Some(only), Some(tenant)) = (reader.settings().only_tenant, record.tenant_id.text("tenantId")?) {
        let tenant = tenant.parse::<Organization>().ok();
        if tenant != Some(only) {
            return reader.other_tenant(tenant);
        }
    }
    match &record.properties.0 {
        Some(event) => event.read(reader),
        None => Err(Malformed::Missing { field: "properties" }.into()),
    }
}
