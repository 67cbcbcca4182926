//! Templates: which elements a record has, and how long they are.

use super::cursor::Cursor;
use super::element::Element;
use super::error::DatagramError;

/// Fields of a template that are kept: those that are read, and what lies between them.
const FIELDS_MAX: usize = 128;

/// The length of a field that has its length in each record (RFC 7011, 7).
const VARIABLE: u16 = u16::MAX;

/// Set ids below this one are not those of templates.
pub(super) const TEMPLATE_IDS_START: u16 = 256;

/// What the records of a set hold. No record is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    fields: Box<[Field]>,
    /// Records are about the exporter, not about flows.
    pub(super) is_options: bool,
}

/// A field, or several side by side that are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    element: Element,
    length: u16,
}

/// The kinds of sets that hold templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TemplateSet {
    V9,
    V9Options,
    Ipfix,
    IpfixOptions,
}

/// What one entry of a set of templates does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TemplateChange {
    Define(u16, Template),
    Withdraw(u16),
    /// Withdraws all templates, or all options templates.
    WithdrawAll {
        is_options: bool,
    },
    /// Not a template, or one that cannot be kept: what had its id before is not in force any more.
    Refuse(u16, DatagramError),
}

impl TemplateSet {
    /// Reads the next entry; nothing where the set is cut off.
    pub(super) fn read(self, set: &mut Cursor<'_>) -> Option<TemplateChange> {
        let id = set.u16()?;
        let (scope_count, count) = match self {
            Self::V9 | Self::Ipfix => (0, set.u16()?),
            // Lengths in bytes, of fields of 4 bytes each (RFC 3954, 6.1).
            Self::V9Options => {
                let (scope_bytes, option_bytes) = (set.u16()?, set.u16()?);
                (scope_bytes / 4, (scope_bytes / 4).saturating_add(option_bytes / 4))
            }
            // Withdrawals have no scope.
            Self::IpfixOptions => match set.u16()? {
                0 => (0, 0),
                count => (set.u16()?, count),
            },
        };
        if count == 0 {
            return Some(match (self, id) {
                (Self::Ipfix, 2) => TemplateChange::WithdrawAll { is_options: false },
                (Self::IpfixOptions, 3) => TemplateChange::WithdrawAll { is_options: true },
                _ => TemplateChange::Withdraw(id),
            });
        }
        let is_options = matches!(self, Self::V9Options | Self::IpfixOptions);
        let mut template = TemplateBuilder::default();
        for number in 0..count {
            let (element, length) = self.read_field(number < scope_count, set)?;
            template.push(element, length);
        }
        Some(template.build(id, is_options))
    }

    fn read_field(self, is_scope: bool, set: &mut Cursor<'_>) -> Option<(Element, u16)> {
        const ENTERPRISE: u16 = 0x8000;
        let (number, length) = (set.u16()?, set.u16()?);
        let element = match self {
            // Scopes of v9 have numbers of their own.
            Self::V9Options if is_scope => Element::Skipped,
            Self::V9 | Self::V9Options => Element::of_v9(number),
            Self::Ipfix | Self::IpfixOptions if number & ENTERPRISE == 0 => Element::of_iana(number),
            Self::Ipfix | Self::IpfixOptions => Element::of_enterprise(set.u32()?, number & !ENTERPRISE),
        };
        Some((element, length))
    }
}

#[derive(Default)]
struct TemplateBuilder {
    fields: Vec<Field>,
    /// Length of the shortest record.
    record_bytes_min: usize,
    has_too_many_fields: bool,
}

impl TemplateBuilder {
    fn push(&mut self, element: Element, length: u16) {
        self.record_bytes_min += if length == VARIABLE { 1 } else { usize::from(length) };
        if length == 0 || self.skip_with_last(element, length) {
            return;
        }
        if self.fields.len() < FIELDS_MAX {
            self.fields.push(Field { element, length });
        } else {
            self.has_too_many_fields = true;
        }
    }

    /// Adds the length of a field to that of the last one, if both are skipped.
    fn skip_with_last(&mut self, element: Element, length: u16) -> bool {
        let Some(last) = self.fields.last_mut() else { return false };
        let both = [last.element, element] == [Element::Skipped; 2];
        match last.length.checked_add(length) {
            Some(sum) if both && sum < VARIABLE && length != VARIABLE => {
                last.length = sum;
                true
            }
            _ => false,
        }
    }

    fn build(self, id: u16, is_options: bool) -> TemplateChange {
        let Self { fields, record_bytes_min, has_too_many_fields } = self;
        let error = if id < TEMPLATE_IDS_START {
            DatagramError::TemplateId { id }
        } else if has_too_many_fields {
            DatagramError::TemplateTooLong { id, fields_max: FIELDS_MAX }
        } else if record_bytes_min == 0 {
            DatagramError::TemplateEmpty { id }
        } else {
            let mut fields = fields.into_boxed_slice();
            skip_outer_header(&mut fields);
            return TemplateChange::Define(id, Template { fields, is_options });
        };
        TemplateChange::Refuse(id, error)
    }
}

/// Skips the header around a tunneled packet. Routers that look into tunnels export the flow's key once for each header, the outermost
/// first (RFC 7011, 8): protocol, ports and addresses then occur twice, and those of the last header are of the connection.
fn skip_outer_header(fields: &mut [Field]) {
    let count = |element| fields.iter().filter(|field| field.element == element).count();
    let key = [Element::SourceAddress, Element::DestinationAddress, Element::Protocol];
    if key.iter().any(|element| count(*element) < 2) {
        return;
    }
    let ports_and_flags = [Element::SourcePort, Element::DestinationPort, Element::TcpFlags];
    for element in key.into_iter().chain(ports_and_flags) {
        let last = fields.iter().rposition(|field| field.element == element);
        for (place, field) in fields.iter_mut().enumerate() {
            if field.element == element && Some(place) != last {
                field.element = Element::Skipped;
            }
        }
    }
}

impl Template {
    /// Reads one record: `take` gets each element and its bytes. Nothing where the record is cut off; `take` may have got a part of it
    /// then.
    pub(super) fn read<'a>(
        &self,
        set: &mut Cursor<'a>,
        mut take: impl FnMut(Element, &'a [u8]),
    ) -> Option<()> {
        for field in &self.fields {
            let length =
                if field.length == VARIABLE { variable_length(set)? } else { usize::from(field.length) };
            let bytes = set.take(length)?;
            if field.element != Element::Skipped {
                take(field.element, bytes);
            }
        }
        Some(())
    }
}

/// The length of a field as a record has it: one byte, or two after a byte of 255.
fn variable_length(set: &mut Cursor<'_>) -> Option<usize> {
    match set.u8()? {
        u8::MAX => set.u16().map(usize::from),
        length => Some(usize::from(length)),
    }
}
