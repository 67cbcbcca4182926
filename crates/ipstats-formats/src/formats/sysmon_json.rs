//! Windows' events of connections as JSON: see [`WindowsEvent`] for the shapes, and [`sysmon`](super::sysmon) for which count.
//! Documents of Winlogbeat and Elastic Agent are read by [`ecs`].

use crate::fields::json;
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::formats::ecs;
use crate::formats::windows_event::WindowsEvent;
use crate::grammar::JsonFormat;
use crate::outcome::Malformed;
use crate::reader::{Outcome, Reader};

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::SysmonJson,
    recognizes: |keys| {
        let origins = [
            "SourceName",
            "ProviderName",
            "Provider",
            "Source",
            "EventSourceName",
            "Channel",
            "Computer",
            "ComputerName",
        ];
        let origins_in_lower_case = ["event_data", "computer_name", "log_name", "source_name", "provider"];
        let has_any = |names: &[&str]| names.iter().any(|name| keys.has_top(name));
        (keys.has_top("EventID") && has_any(&origins))
            || (keys.has_top("event_id") && has_any(&origins_in_lower_case))
            || (keys.has_top("winlog") && keys.has_top("@timestamp"))
            || ((keys.has_top("Event") || keys.has_top("EventData"))
                && (keys.has("System") && keys.has("EventID")))
            || (keys.has("win") && keys.has("system") && (keys.has("eventdata") || keys.has("eventID")))
    },
    lists: &[],
    record: read,
    knows_other_events: false,
    wraps: true,
};

fn read(text: &str, reader: &mut Reader<'_>) -> Outcome {
    let mut event: WindowsEvent<'_> = json::object(text)?;
    if event.is_of_windows() {
        return event.read(reader);
    }
    // A stream of Elastic's shippers, in which documents of other kinds occur as well.
    match event.timestamp {
        Scalar::Null => Err(Malformed::Missing { field: "EventID" }.into()),
        _ => ecs::read(text, reader),
    }
}
