//! A request as protobuf, taken apart without building it: only log records are decoded.

use super::{LogRecord, Stop};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, check_wire_type, decode_key, decode_varint, skip_field};

/// `ExportLogsServiceRequest.resource_logs`.
const RESOURCE_LOGS: u32 = 1;
/// `ResourceLogs.scope_logs`.
const SCOPE_LOGS: u32 = 2;
/// `ScopeLogs.log_records`.
const LOG_RECORDS: u32 = 2;

/// Calls `visit` with the bytes of each log record, in their order.
pub(super) fn each_record(
    request: &[u8],
    mut visit: impl FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    each_message(request, RESOURCE_LOGS, &mut |resource| {
        each_message(resource, SCOPE_LOGS, &mut |scope| each_message(scope, LOG_RECORDS, &mut visit))
    })
}

pub(super) fn record(bytes: &[u8]) -> Result<LogRecord, String> {
    LogRecord::decode(bytes).map_err(|error| error.to_string())
}

/// Calls `visit` with each message that stands in the field `number` of `message`.
fn each_message(
    message: &[u8],
    number: u32,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut rest = message;
    while !rest.is_empty() {
        let (found, wire_type) = decode_key(&mut rest)?;
        if found != number {
            skip_field(wire_type, found, &mut rest, DecodeContext::default())?;
            continue;
        }
        check_wire_type(WireType::LengthDelimited, wire_type)?;
        let length = usize::try_from(decode_varint(&mut rest)?).unwrap_or(usize::MAX);
        let (content, behind) =
            rest.split_at_checked(length).ok_or_else(|| Stop::Envelope("it is cut off".to_owned()))?;
        visit(content)?;
        rest = behind;
    }
    Ok(())
}
