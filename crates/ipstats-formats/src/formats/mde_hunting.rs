//! DeviceNetworkEvents rows as a hunting query of Defender or Sentinel exports them, as CSV and as JSON.

use crate::fields::json;
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::formats::array;
use crate::formats::mde::NetworkEvent;
use crate::grammar::{CsvFormat, JsonFormat};

pub(crate) const CSV: CsvFormat = CsvFormat {
    format: Format::MdeHuntingCsv,
    columns: &[
        &["Timestamp", "TimeGenerated", "TimeGenerated [UTC]"],
        &["DeviceId"],
        &["RemoteIP"],
        &["ActionType"],
    ],
    row: |cells, reader| {
        let [timestamp, device_id, remote_ip, action_type] = array(cells)?.clone();
        NetworkEvent { timestamp, device_id, remote_ip, action_type, time_generated: Scalar::Null }
            .read(reader)
    },
};

pub(crate) const JSON: JsonFormat = JsonFormat {
    format: Format::MdeHuntingJson,
    recognizes: |keys| {
        let columns = ["ActionType", "RemoteIP"];
        keys.has_top("DeviceId") && columns.into_iter().any(|column| keys.has_top(column))
    },
    // Upper case in the API of Defender for Endpoint, lower case in Microsoft Graph.
    lists: &["Results", "results"],
    record: |text, reader| json::object::<NetworkEvent<'_>>(text)?.read(reader),
    knows_other_events: false,
    wraps: false,
};
