//! `GET /api/$metadata`: the types and the operation as an OData 4.0 CSDL document, in XML or in JSON. Needs no token:
//! it is the same for everybody and holds no data.

use super::error::ApiError;
use super::odata::{self, Options, Representation};
use super::openapi::{DocumentErrors, DocumentFormat};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

/// The document that `@odata.context` refers to. The two forms say the same; a test converts one into the other.
const XML: &str = include_str!("metadata.xml");
const JSON: &str = include_str!("metadata.json");

#[utoipa::path(
    get,
    path = "/api/$metadata",
    operation_id = "getMetadata",
    tag = "documents",
    summary = "The types and the operation as OData CSDL",
    description = "XML, or JSON where Accept or $format prefers it.",
    params(("$format" = Option<DocumentFormat>, Query, description = "Wins over Accept.")),
    responses(
        (status = 200, description = "An OData 4.0 CSDL document.", content(
            (String = "application/xml"),
            (Object = "application/json"),
        )),
        DocumentErrors
    ),
    security(())
)]
pub(super) async fn get(uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    odata::check_version(&headers)?;
    Ok(match Options::read(&uri)?.document(&headers)? {
        Representation::Xml => odata::document("application/xml; charset=utf-8", XML),
        Representation::Json(_) => odata::document("application/json; charset=utf-8", JSON),
    })
}
