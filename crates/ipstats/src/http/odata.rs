//! What OData 4.0 asks of requests and answers: system query options, `$format` and `Accept`, versions, headers.

use super::accept::{self, MediaRange};
use super::error::{ApiError, excerpt};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_MAX_VERSION: HeaderName = HeaderName::from_static("odata-maxversion");

/// The version that answers are written in.
const VERSION: HeaderValue = HeaderValue::from_static("4.0");

/// How long caches may keep what is the same for everybody.
const DOCUMENT_CACHED: HeaderValue = HeaderValue::from_static("max-age=3600");

/// How much an answer says about its own type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    /// Nothing.
    None,
    /// `@odata.context` only.
    Minimal,
    /// The context, and all types that JSON does not tell.
    Full,
}

/// What an answer is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Representation {
    /// JSON with so much metadata.
    Json(Metadata),
    /// XML; only the metadata document has this form.
    Xml,
}

/// The system query options of a request (those that begin with `$`). `$format` is the only one that is supported.
#[derive(Debug, Default)]
pub(super) struct Options {
    format: Option<String>,
}

impl Metadata {
    /// The level called `name`.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let levels = [("none", Self::None), ("minimal", Self::Minimal), ("full", Self::Full)];
        levels.into_iter().find(|(level, _)| level.eq_ignore_ascii_case(name)).map(|(_, level)| level)
    }

    fn content_type(self) -> HeaderValue {
        const NONE: HeaderValue = HeaderValue::from_static(
            "application/json; odata.metadata=none; odata.streaming=true; charset=utf-8",
        );
        const MINIMAL: HeaderValue = HeaderValue::from_static(
            "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8",
        );
        const FULL: HeaderValue = HeaderValue::from_static(
            "application/json; odata.metadata=full; odata.streaming=true; charset=utf-8",
        );
        match self {
            Self::None => NONE,
            Self::Minimal => MINIMAL,
            Self::Full => FULL,
        }
    }
}

impl Options {
    /// The options of a request that has no other parameters.
    pub(super) fn read(uri: &Uri) -> Result<Self, ApiError> {
        let mut options = Self::default();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            options.note(&name, &value)?;
        }
        Ok(options)
    }

    /// Takes note of a parameter if it is a system query option.
    pub(super) fn note(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        if !name.starts_with('$') {
            return Ok(());
        }
        if name != "$format" {
            return Err(ApiError::UnknownQueryOption(excerpt(name)));
        }
        match self.format.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(ApiError::Format("$format is given twice".to_owned())),
        }
    }

    /// How much metadata a JSON answer has: as `$format` says, else as the client accepts best, else minimal.
    pub(super) fn metadata(&self, headers: &HeaderMap) -> Result<Metadata, ApiError> {
        match self.representation()? {
            Some(Representation::Json(metadata)) => Ok(metadata),
            Some(Representation::Xml) => Err(unknown_format("xml")),
            None => Ok(json_accepted(headers).map_or(Metadata::Minimal, |(_, metadata)| metadata)),
        }
    }

    /// What a document that exists in both forms is written as. XML unless JSON is accepted better.
    pub(super) fn document(&self, headers: &HeaderMap) -> Result<Representation, ApiError> {
        if let Some(asked) = self.representation()? {
            return Ok(asked);
        }
        let xml = ["application", "text"].into_iter();
        let xml =
            xml.filter_map(|kind| accept::best(accept::ranges(headers), kind, "xml")).map(|best| best.0);
        Ok(match json_accepted(headers) {
            Some((fit, metadata)) if Some(fit) > xml.max() => Representation::Json(metadata),
            _ => Representation::Xml,
        })
    }

    /// What `$format` asks for: a short name or a media type.
    fn representation(&self) -> Result<Option<Representation>, ApiError> {
        let Some(format) = &self.format else { return Ok(None) };
        let range = MediaRange::parse(match format.as_str() {
            "json" => "application/json",
            "xml" => "application/xml",
            other => other,
        });
        let is = |subtype| range.is_some_and(|range| range.fit("application", subtype).is_some());
        match range {
            Some(range) if is("json") => {
                Ok(Some(Representation::Json(range.metadata.unwrap_or(Metadata::Minimal))))
            }
            _ if is("xml") => Ok(Some(Representation::Xml)),
            _ => Err(unknown_format(format)),
        }
    }
}

fn json_accepted(headers: &HeaderMap) -> Option<(accept::Fit, Metadata)> {
    let (fit, range) = accept::best(accept::ranges(headers), "application", "json")?;
    Some((fit, range.metadata.unwrap_or(Metadata::Minimal)))
}

fn unknown_format(format: &str) -> ApiError {
    ApiError::Format(format!("$format {:?} is not available here", excerpt(format)))
}

/// Refuses clients that could not read any answer: those that know versions before 4.0 only. What is no version says
/// nothing.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(most) = headers.get(ODATA_MAX_VERSION).and_then(|most| most.to_str().ok()) else {
        return Ok(());
    };
    match most.trim().split_once('.').and_then(|(major, _)| major.parse::<u32>().ok()) {
        Some(0..4) => Err(ApiError::Version(excerpt(most))),
        _ => Ok(()),
    }
}

/// A successful answer in JSON.
pub(super) fn json(answer: Vec<u8>, metadata: Metadata) -> Response {
    let mut response = Response::new(answer.into());
    response.headers_mut().insert(CONTENT_TYPE, metadata.content_type());
    response.headers_mut().insert(ODATA_VERSION, VERSION);
    response
}

/// A document that does not change; which form of it is sent depends on what is accepted.
pub(super) fn document(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (ODATA_VERSION, VERSION),
        (VARY, HeaderValue::from_static("accept")),
        (CACHE_CONTROL, DOCUMENT_CACHED),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::ACCEPT;

    fn accepting(accept: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))])
    }

    fn options(query: &str) -> Result<Options, ApiError> {
        Options::read(&format!("/api/$metadata?{query}").parse().unwrap())
    }

    #[test]
    fn so_much_metadata_is_sent_as_is_accepted_best() {
        for (accept, expected) in [
            ("application/json;odata.metadata=none", Metadata::None),
            ("text/html, application/json; charset=utf-8; OData.Metadata=None, */*", Metadata::None),
            ("application/json;odata.metadata=minimal", Metadata::Minimal),
            ("application/json;metadata=full", Metadata::Full),
            ("*/*", Metadata::Minimal),
            ("*/*;odata.metadata=full", Metadata::Full),
            ("application/json;metadata=none;q=0.1, application/json;metadata=full;q=0.9", Metadata::Full),
            ("application/json;metadata=none;q=0, application/json", Metadata::Minimal),
            ("application/json;metadata=none, application/json;metadata=full", Metadata::None),
            ("application/json;metadata=all", Metadata::Minimal),
            ("text/html", Metadata::Minimal),
            ("nonsense;odata.metadata=none", Metadata::Minimal),
            ("", Metadata::Minimal),
        ] {
            assert_eq!(Options::default().metadata(&accepting(accept)).unwrap(), expected, "{accept}");
        }
        assert_eq!(Options::default().metadata(&HeaderMap::new()).unwrap(), Metadata::Minimal);
    }

    #[test]
    fn a_document_is_json_where_that_is_accepted_better_than_xml() {
        let json = Representation::Json(Metadata::Minimal);
        for (accept, expected) in [
            ("*/*", Representation::Xml),
            ("application/json", json),
            ("application/json, text/plain, */*", json),
            ("application/json, application/xml", Representation::Xml),
            ("application/json;q=0.8, text/xml;q=0.9", Representation::Xml),
            ("application/json, application/xml;q=0.9", json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Representation::Xml),
            ("image/png", Representation::Xml),
        ] {
            assert_eq!(Options::default().document(&accepting(accept)).unwrap(), expected, "{accept}");
        }
    }

    #[test]
    fn format_wins_over_accept() {
        for (query, expected) in [
            ("$format=json", Representation::Json(Metadata::Minimal)),
            ("%24format=application%2Fjson%3Bodata.metadata%3Dnone", Representation::Json(Metadata::None)),
            ("$format=xml", Representation::Xml),
            ("x=1&$format=application/xml", Representation::Xml),
        ] {
            let found = options(query).unwrap();
            assert_eq!(found.document(&accepting("application/json")).unwrap(), expected, "{query}");
            assert_eq!(found.document(&accepting("application/xml")).unwrap(), expected, "{query}");
        }
        assert!(options("$format=xml").unwrap().metadata(&HeaderMap::new()).is_err());
        for query in ["$format=atom", "$format=", "$format=text/html"] {
            assert!(options(query).unwrap().document(&HeaderMap::new()).is_err(), "{query}");
        }
        for query in ["$format=json&$format=json", "$select=x", "$", "$Format=json"] {
            assert!(options(query).is_err(), "{query}");
        }
    }

    #[test]
    fn clients_of_versions_before_4_are_refused() {
        for (most, fine) in
            [("4.0", true), ("4.01", true), ("5.0", true), ("x", true), ("3.0", false), ("2.0;x", false)]
        {
            let headers = HeaderMap::from_iter([(ODATA_MAX_VERSION, HeaderValue::from_static(most))]);
            assert_eq!(check_version(&headers).is_ok(), fine, "{most}");
        }
    }
}
