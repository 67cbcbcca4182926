//! Our own format, as JSON lines and as CSV: `device`, `ip`, `time`. Every record is a connection.

use crate::fields::json;
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::format::Format;
use crate::formats::array;
use crate::grammar::{CsvFormat, JsonFormat};
use crate::outcome::Malformed;
use crate::reader::{Outcome, Reader};
use serde::Deserialize;

pub(crate) const JSON: JsonFormat = JsonFormat {
    format: Format::IpstatsNdjson,
    recognizes: |keys| keys.has_top("device") && (keys.has_top("ip") || keys.has_top("time")),
    lists: &[],
    record: |text, reader| {
        let record: Record<'_> = json::object(text)?;
        read(&record.device, &record.ip, &record.time, reader)
    },
    knows_other_events: false,
    wraps: false,
};

pub(crate) const CSV: CsvFormat = CsvFormat {
    format: Format::IpstatsCsv,
    columns: &[&["device"], &["ip"], &["time"]],
    row: |cells, reader| {
        let [device, ip, time] = array(cells)?;
        read(device, ip, time, reader)
    },
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    device: Scalar<'a>,
    #[serde(borrow)]
    ip: Scalar<'a>,
    #[serde(borrow)]
    time: Scalar<'a>,
}

fn read(device: &Scalar<'_>, ip: &Scalar<'_>, time: &Scalar<'_>, reader: &mut Reader<'_>) -> Outcome {
    let device = device.needed_text("device")?;
    let ip = ip.ip("ip")?.ok_or(Malformed::Missing { field: "ip" })?;
    reader.connection(device, ip, time.time("time", Zone::Required)?)
}
