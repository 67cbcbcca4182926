//! What a client accepts (RFC 9110, section 12.5.1), with what OData adds to media types.
//!
//! Read leniently: what is no media range says nothing, and nothing here refuses a request. Clients of Defender send
//! all kinds of headers, and there is mostly one thing to answer with.

use super::odata::Metadata;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};

/// One range of an `Accept` header, or the one of `$format`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// How much it is wanted, in thousandths; 0 is not at all.
    thousandths: u16,
    /// `odata.metadata`, or `metadata` as OData 4.01 spells it.
    pub(super) metadata: Option<Metadata>,
}

/// How well a media type is accepted; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    thousandths: u16,
    precision: u8,
}

impl<'a> MediaRange<'a> {
    /// The range that `text` is, such as `application/json;odata.metadata=none;q=0.5`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range = Self { kind, subtype, thousandths: 1000, metadata: None };
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            let (name, value) = (name.trim_end(), value.trim_start());
            if name.eq_ignore_ascii_case("q") {
                range.thousandths = thousandths(value)?;
            } else if name.eq_ignore_ascii_case("odata.metadata") || name.eq_ignore_ascii_case("metadata") {
                range.metadata = Metadata::from_name(value);
            }
        }
        Some(range)
    }

    /// Whether and how well this range takes a media type.
    pub(super) fn fit(&self, kind: &str, subtype: &str) -> Option<Fit> {
        let same = |range: &str, asked: &str| range.eq_ignore_ascii_case(asked);
        let precision = match (self.kind, self.subtype) {
            ("*", "*") => 0,
            (range, "*") if same(range, kind) => 1,
            (range, subtypes) if same(range, kind) && same(subtypes, subtype) => 2,
            _ => return None,
        };
        let precision = precision + u8::from(self.metadata.is_some());
        (self.thousandths > 0).then_some(Fit { thousandths: self.thousandths, precision })
    }
}

/// The ranges of all `Accept` headers.
pub(super) fn ranges(headers: &HeaderMap) -> impl Iterator<Item = MediaRange<'_>> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(MediaRange::parse)
}

/// The range that takes a media type best, of equals the first.
pub(super) fn best<'a>(
    ranges: impl Iterator<Item = MediaRange<'a>>,
    kind: &str,
    subtype: &str,
) -> Option<(Fit, MediaRange<'a>)> {
    let fits = ranges.filter_map(|range| Some((range.fit(kind, subtype)?, range)));
    fits.reduce(|best, next| if next.0 > best.0 { next } else { best })
}

/// `0.5` as 500; at most three digits behind the point count.
fn thousandths(text: &str) -> Option<u16> {
    let value: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..=1000")]
    (0.0..=1.0).contains(&value).then_some((value * 1000.0) as u16)
}
