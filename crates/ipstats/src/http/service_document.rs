//! `GET /api`: the OData service document, which lists what there is. Needs no token: it is the same for everybody and
//! holds no data.

use super::error::ApiError;
use super::odata::{self, Metadata, Options};
use super::openapi::{DocumentErrors, JsonFormat};
use super::public_urls::AskedUrl;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

/// The document (OData JSON Format 4.0, section 5).
#[derive(Serialize, ToSchema)]
pub(super) struct ServiceDocument {
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    context: Option<String>,
    value: [Element; 1],
}

#[derive(Serialize, ToSchema)]
pub(super) struct Element {
    name: &'static str,
    kind: &'static str,
    url: &'static str,
}

#[utoipa::path(
    get,
    path = "/api",
    operation_id = "getServiceDocument",
    tag = "documents",
    summary = "The OData service document",
    params(("$format" = Option<JsonFormat>, Query, description = "Wins over Accept.")),
    responses(
        (status = 200, description = "What there is.", body = ServiceDocument, headers(("OData-Version" = String))),
        DocumentErrors
    ),
    security(())
)]
pub(super) async fn get(url: AskedUrl, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    odata::check_version(&headers)?;
    let metadata = Options::read(&uri)?.metadata(&headers)?;
    let context = (metadata != Metadata::None).then(|| format!("{}/api/$metadata", url.as_str()));
    let ips = Element { name: "ips", kind: "EntitySet", url: "ips" };
    let document = serde_json::to_vec(&ServiceDocument { context, value: [ips] });
    Ok(odata::json(document.map_err(|error| ApiError::Internal(error.into()))?, metadata))
}
