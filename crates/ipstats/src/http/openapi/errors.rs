//! What is answered where something goes wrong, for each kind of endpoint.

use serde_json::json;
use std::collections::BTreeMap;
use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

/// One error as clients see it.
struct Documented {
    status: &'static str,
    when: &'static str,
    codes: &'static [&'static str],
    message: &'static str,
    /// A header that comes with it.
    header: Option<&'static str>,
}

macro_rules! errors {
    ($($name:ident: $status:literal, $codes:expr, $when:literal, $message:literal, $header:expr;)+) => {
        $(const $name: Documented = Documented {
            status: $status, when: $when, codes: &$codes, message: $message, header: $header,
        };)+
    };
}

errors! {
    INVALID: "400", ["InvalidIpAddress", "InvalidInput", "ODataError"],
        "No IP address, an unacceptable lookBackHours, or an OData option or version that is not supported.",
        "IP address 1.2.3 is invalid.", None;
    NOT_ODATA: "400", ["ODataError"], "An OData option or version that is not supported.",
        "The query option $top is not supported.", None;
    NO_LOG: "400", ["BadRequest"], "An unknown format, or no log of it, or a damaged one. What came before is recorded.",
        "Not everything was recorded: the data is cut off.", None;
    NO_TOKEN: "401", ["Unauthorized"], "No token, or one that is not accepted.",
        "Unauthorized: the token has expired.", Some("WWW-Authenticate");
    NO_KEY: "401", ["Unauthorized"], "No ingest key, or one that is not known.",
        "Unauthorized: an ingest key is expected, as 'Authorization: Bearer <key>' or as a Basic password.",
        Some("WWW-Authenticate");
    FORBIDDEN: "403", ["Forbidden"], "The token lacks the permission.",
        "Missing application roles. API required roles: Ip.Read.All, application roles: .", None;
    UNKNOWN: "404", ["ResourceNotFound", "NotFound"], "The IP was not contacted in the last 30 days, or there is no such path.",
        "IP address 1.2.3.4 was not contacted by any device of the organization in the last 30 days.", None;
    NO_PATH: "404", ["NotFound"], "There is no such path.", "There is nothing at /api/ingest/.", None;
    BROKEN_OFF: "408", ["RequestTimeout"], "The log ended too early or came too slowly. What came before is recorded; send it again.",
        "Not everything was recorded: the log broke off.", None;
    TOO_LARGE: "413", ["PayloadTooLarge"], "More than 1 GiB when decompressed. What came before is recorded.",
        "Not everything was recorded: it is too large.", None;
    UNKNOWN_ENCODING: "415", ["UnsupportedMediaType"], "A Content-Encoding other than gzip, zstd and deflate.",
        "The content encoding br is not supported; send the log plain, as gzip or as zstd.", None;
    TOO_MANY: "429", ["TooManyRequests"], "The quota of the application is used up.",
        "API calls quota exceeded! maximum allowed 100 per 00:01:00", Some("Retry-After");
    DEFECT: "500", ["InternalServerError"], "A defect of the service.", "The service could not answer.", None;
    UNAVAILABLE: "503", ["ServiceUnavailable"], "Busy, closing, or the store cannot be used.",
        "The service is not available right now. Try again later.", Some("Retry-After");
}

/// Errors of questions about addresses.
pub(in crate::http) struct QuestionErrors;

/// Errors of documents.
pub(in crate::http) struct DocumentErrors;

/// Errors of sending logs in.
pub(in crate::http) struct IngestErrors;

/// Errors of the token endpoints.
pub(in crate::http) struct TokenErrors;

/// Errors of what the authority publishes.
pub(in crate::http) struct AuthorityErrors;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for QuestionErrors {
    fn responses() -> Responses {
        api_errors(&[INVALID, NO_TOKEN, FORBIDDEN, UNKNOWN, TOO_MANY, DEFECT, UNAVAILABLE])
    }
}

impl IntoResponses for DocumentErrors {
    fn responses() -> Responses {
        api_errors(&[NOT_ODATA, DEFECT, UNAVAILABLE])
    }
}

impl IntoResponses for IngestErrors {
    fn responses() -> Responses {
        api_errors(&[NO_LOG, NO_KEY, NO_PATH, BROKEN_OFF, TOO_LARGE, UNKNOWN_ENCODING, DEFECT, UNAVAILABLE])
    }
}

impl IntoResponses for TokenErrors {
    fn responses() -> Responses {
        let malformed = [
            "invalid_request",
            "unsupported_grant_type",
            "invalid_scope",
            "invalid_resource",
            "invalid_grant",
            "unauthorized_client",
        ];
        [
            token_error("400", "A malformed request, or one for what there is not.", &malformed, None),
            no_authority(),
            token_error(
                "401",
                "The client is not who it says it is.",
                &["invalid_client"],
                Some("WWW-Authenticate"),
            ),
            token_error("429", "Too many wrong secrets.", &["temporarily_unavailable"], Some("Retry-After")),
            token_error("500", "A defect of the service.", &["server_error"], None),
            token_error("503", "Too many proofs at once.", &["temporarily_unavailable"], Some("Retry-After")),
        ]
        .into()
    }
}

impl IntoResponses for AuthorityErrors {
    fn responses() -> Responses {
        [token_error("400", "The tenant is not known.", &["invalid_request"], None), no_authority()].into()
    }
}

fn api_errors(errors: &[Documented]) -> Responses {
    let documented = errors.iter().map(|error| {
        let code = error.codes.first().copied().unwrap_or_default();
        let target = "f00560f0-b6bb-4fe0-825a-1657f10c34e3";
        let example = json!({"error": {"code": code, "message": error.message, "target": target}});
        let description = format!("{} Codes: {}.", error.when, error.codes.join(", "));
        entry(error.status, &description, "Error", example, error.header)
    });
    documented.collect()
}

fn no_authority() -> (String, RefOr<Response>) {
    token_error("404", "Only outside issuers are trusted here.", &["invalid_request"], None)
}

fn token_error(status: &str, when: &str, codes: &[&str], header: Option<&str>) -> (String, RefOr<Response>) {
    let code = codes.first().copied().unwrap_or_default();
    let example = json!({
        "error": code, "error_description": when, "trace_id": "f00560f0-b6bb-4fe0-825a-1657f10c34e3",
    });
    entry(status, &format!("{when} Codes: {}.", codes.join(", ")), "TokenError", example, header)
}

fn entry(
    status: &str,
    description: &str,
    schema: &str,
    example: serde_json::Value,
    header: Option<&str>,
) -> (String, RefOr<Response>) {
    let mut content = Content::new(Some(Ref::from_schema_name(schema)));
    content.example = Some(example);
    let mut response = ResponseBuilder::new().description(description).content("application/json", content);
    if let Some(header) = header {
        let kind = if header == "Retry-After" { Type::Integer } else { Type::String };
        let schema = ObjectBuilder::new().schema_type(kind).build();
        response = response.header(header, HeaderBuilder::new().schema(Some(schema)).build());
    }
    (status.to_owned(), response.build().into())
}
