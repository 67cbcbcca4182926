//! `GET /api/$metadata`: the type of the answer as an OData 4.0 CSDL document.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// The document that `@odata.context` refers to.
const DOCUMENT: &str = include_str!("metadata.xml");

pub(super) async fn get() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/xml; charset=utf-8")], DOCUMENT)
}
