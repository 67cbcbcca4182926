//! Requests of OpenTelemetry, byte by byte.

/// A request as JSON, of these log records with commas between them.
pub(crate) fn json(records: &str) -> String {
    format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{records}]}}]}}]}}")
}

/// A field of protobuf that holds bytes.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(content);
    bytes
}

/// A request as protobuf, of a log record for each of `texts`.
pub(crate) fn binary_texts<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Vec<u8> {
    let record = |text: T| field(2, &field(5, &field(1, text.as_ref())));
    binary(&texts.into_iter().flat_map(record).collect::<Vec<_>>())
}

/// A request as protobuf, of these fields of a scope's logs.
pub(crate) fn binary(records: &[u8]) -> Vec<u8> {
    field(1, &field(2, records))
}
