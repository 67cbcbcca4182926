//! DeviceNetworkEvents rows as a hunting query of Defender or Sentinel exports them, as CSV and as JSON.

use crate::fields::json;
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::formats::mde::NetworkEvent;
use crate::formats::{CsvFormat, JsonFormat, array};

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
        let time = keys.has("Timestamp") || keys.has("TimeGenerated");
        (time && keys.has("DeviceId") && keys.has("ActionType"))
            || keys.has_list("Results")
            || keys.has_list("results")
    },
    // Upper case in the API of Defender for Endpoint, lower case in Microsoft Graph.
    lists: &["Results", "results"],
    record: |text, reader| json::object::<NetworkEvent<'_>>(text)?.read(reader),
};
