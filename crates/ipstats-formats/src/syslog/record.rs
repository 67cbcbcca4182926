//! Where the JSON record of a message begins.
//!
//! RFC 5424 says where: behind the structured data, which is the one part of a header that may hold anything. Everywhere
//! else (RFC 3164, headers with a year, a time zone or a number in front, no header at all) the record is the first thing
//! that begins as a JSON object does, at most [`HEADER_WORDS_MAX`] words into the message: a host, a tag and `@cee:` are before
//! it, a sentence is not.

use memchr::memchr_iter;

/// Words of the longest header: a number, a host, a time with year and zone in seven, a tag, and `@cee:`.
const HEADER_WORDS_MAX: usize = 10;

/// Parts of a header of RFC 5424 between version and structured data.
const FIELDS_5424: usize = 5;

/// The JSON record in a message, if there is one: an object, or a list of objects, to the end of the message.
pub fn record(message: &[u8]) -> Option<&[u8]> {
    let message = trimmed(message);
    let text = content_5424(without_priority(message)).unwrap_or(message);
    let start =
        memchr_iter(b'{', text).find(|brace| begins_object(text.get(brace + 1..).unwrap_or_default()))?;
    let before = text.get(..start)?.trim_ascii_end();
    let (start, before) = match before.strip_suffix(b"[") {
        Some(header) => (header.len(), header),
        None => (start, before),
    };
    (words(before) <= HEADER_WORDS_MAX).then(|| text.get(start..)).flatten()
}

fn trimmed(message: &[u8]) -> &[u8] {
    let end = message.iter().rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    message.get(..end.map_or(0, |last| last + 1)).unwrap_or_default()
}

/// Whether an object goes on like this behind its brace: with a name, or its end.
fn begins_object(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}'))
}

fn words(header: &[u8]) -> usize {
    header.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count()
}

/// What is behind `<13>`; all of it where there is no priority.
fn without_priority(message: &[u8]) -> &[u8] {
    let behind = || {
        let (digits, rest) = digits(message.strip_prefix(b"<")?);
        rest.strip_prefix(b">").filter(|_| digits > 0)
    };
    behind().unwrap_or(message)
}

/// The content of a message of RFC 5424, behind its priority; nothing where it is no such message.
fn content_5424(message: &[u8]) -> Option<&[u8]> {
    let (digits, rest) = digits(message);
    let mut rest = rest.strip_prefix(b" ").filter(|_| (1..=3).contains(&digits))?;
    for _ in 0..FIELDS_5424 {
        let end = memchr::memchr(b' ', rest).filter(|end| *end > 0)?;
        rest = rest.get(end + 1..)?;
    }
    if let Some(behind) = rest.strip_prefix(b"-") {
        return content(behind);
    }
    while rest.first() == Some(&b'[') {
        rest = behind_element(rest)?;
    }
    content(rest)
}

/// What follows the structured data: nothing, or a space and the message.
fn content(rest: &[u8]) -> Option<&[u8]> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b" ") }
}

/// What is behind one element of structured data: a bracket in quotes does not end it, nor does a quote behind a backslash.
fn behind_element(element: &[u8]) -> Option<&[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = element.iter().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        *byte == b']' && !is_quoted
    })?;
    element.get(end + 1..)
}

fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, text.get(count..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_record_is_found_behind_headers_of_all_kinds() {
        for header in [
            "",
            "<13>",
            "<13>1 2026-11-01T10:00:00.123456+02:00 host zeek 123 - - ",
            "<13>1 2026-11-01T10:00:00Z host zeek - conn [x@32473 a=\"1\" b=\"{\\\"]\"][y c=\"{}\"] \u{feff}",
            "<165>1 - - - - - - ",
            "<13>1 2026-11-01T10:00:00Z host zeek - - - @cee: ",
            "<13>Nov  1 10:00:00 host zeek: ",
            "<13>Nov  1 10:00:00 host suricata[77]: @cee:",
            "<13>Nov  1 10:00:00 host zeek",
            "<13>Nov  1 10:00:00 2026 host zeek[1]: ",
            "<13>2026-11-01T10:00:00.123Z host zeek: ",
            "<189>123: fw.example.net: *Nov  1 2026 10:00:00.123 UTC: %APP-6-X: @cee: ",
            "<13>zeek ",
            "Nov  1 10:00:00 host zeek: ",
            "\u{feff}",
        ] {
            for record in [r#"{"a":"}{"}"#, "{ \"a\": 1 }", "{}", r#"[{"a":1},{"b":2}]"#, r#"{"a":"cut o"#] {
                for end in ["", "\n", "\r\n", "\0", " \n\0"] {
                    let message = format!("{header}{record}{end}");
                    let found = super::record(message.as_bytes()).map(String::from_utf8_lossy);
                    assert_eq!(found.as_deref(), Some(record), "{message:?}");
                }
            }
        }
    }

    #[test]
    fn text_is_no_record() {
        for message in [
            "",
            "<13>",
            "<86>Nov  1 10:00:00 host sshd[1]: session opened for user root(uid=0)",
            "<13>1 2026-11-01T10:00:00Z host app - - [x a=\"{}\"]",
            "<13>1 2026-11-01T10:00:00Z host app - - [x a=\"{}\"] nothing",
            "<13>Nov  1 10:00:00 host app: {not json}",
            "<13>Nov  1 10:00:00 host app: sent to the other side after a while: {\"a\":1}",
        ] {
            let found = record(message.as_bytes()).map(String::from_utf8_lossy);
            assert_eq!(found.as_deref(), None, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn any_message_is_read(message in prop::collection::vec(
            prop_oneof![Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b'{'), Just(b' '), Just(b'1'), any::<u8>()],
            0..80,
        )) {
            if let Some(record) = record(&message) {
                let is_json = record.starts_with(b"{") || record.starts_with(b"[");
                prop_assert!(is_json);
            }
        }
    }
}
