//! `GET /api/openapi.json`: the API as an OpenAPI 3.1 document, made from the code. Needs no token: it is the same for
//! everybody and holds no data.
//!
//! Each endpoint describes itself where its handler is; here is what they share: how a token is shown, errors
//! (`errors.rs`), parameters (`parameters.rs`), and which operations have a second path.

mod errors;
mod parameters;

pub(super) use errors::{AuthorityErrors, DocumentErrors, IngestErrors, QuestionErrors, TokenErrors};
pub(super) use parameters::{DocumentFormat, FormatName, IpText, JsonFormat, Log, TokenForm};

use super::app::App;
use super::{authority, health, ingest, ip_stats, metadata, service_document, token};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, LazyLock};
use utoipa::openapi::security::{
    ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme,
};
use utoipa::openapi::{Components, Server};
use utoipa::{Modify, OpenApi};

/// Paths of operations, and second ones that lead to the same.
const SECOND_PATHS: [(&str, &str); 4] = [
    ("/api", "/api/v1.0"),
    ("/api/$metadata", "/api/v1.0/$metadata"),
    ("/api/ips/{ip}/stats", "/api/v1.0/ips/{ip}/stats"),
    ("/{tenant}/discovery/v2.0/keys", "/{tenant}/discovery/keys"),
];

/// The document without its servers, which are configuration.
static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Api::openapi);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ipstats",
        description = "IP statistics of an organization, as Microsoft Defender for Endpoint's \"Get IP statistics\" \
            answers them. The paths of Defender's other operations are answered by 501 NotImplemented after the token is \
            checked. Request lines and headers may have about 64 KiB and 100 headers; an answer takes 30 seconds at most.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        ip_stats::get,
        metadata::get,
        service_document::get,
        get,
        ingest::plain::post,
        token::post_v1,
        token::post_v2,
        authority::configuration_v1,
        authority::configuration_v2,
        authority::keys,
        health::live,
        health::ready,
    ),
    components(schemas(
        super::error::Body<'static>,
        super::token_error::Body<'static>,
        DocumentFormat,
        FormatName,
        IpText,
        JsonFormat,
        Log,
        TokenForm,
    )),
    modifiers(&Security, &SecondPaths),
    tags(
        (name = "statistics", description = "Questions about IP addresses."),
        (name = "documents", description = "What the API is, for programs. No token is needed."),
        (name = "ingest", description = "Sending logs in."),
        (name = "tokens", description = "The built-in token authority, as far as it is in use."),
        (name = "health", description = "For supervisors and load balancers."),
    )
)]
struct Api;

#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "getOpenApi",
    tag = "documents",
    summary = "This document",
    responses((status = 200, description = "The OpenAPI document.", body = Object), DocumentErrors),
    security(())
)]
pub(super) async fn get(State(app): State<Arc<App>>) -> Response {
    let mut document = DOCUMENT.clone();
    let urls = app.snapshot();
    document.servers = Some(urls.public_urls.iter().map(|url| Server::new(url.as_str())).collect());
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "max-age=3600")];
    match document.to_json() {
        Ok(text) => (headers, text).into_response(),
        Err(error) => super::error::ApiError::Internal(error.into()).into_response(),
    }
}

/// How callers show who they are.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        bearer.description = Some("A token of a trusted issuer with the permission Ip.Read.All.".to_owned());
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let scopes = Scopes::one(
            "https://api.securitycenter.microsoft.com/.default",
            "What the application is permitted to, Ip.Read.All for statistics.",
        );
        let flow = Flow::ClientCredentials(ClientCredentials::new("/{tenant}/oauth2/v2.0/token", scopes));
        let description = "The built-in authority; {tenant} is the organization's id or name.";
        let oauth2 = OAuth2::with_description([flow], description);
        components.add_security_scheme("authority", SecurityScheme::OAuth2(oauth2));
        let mut key = Http::new(HttpAuthScheme::Bearer);
        key.description = Some("An ingest key.".to_owned());
        components.add_security_scheme("ingestKey", SecurityScheme::Http(key));
        let mut key = Http::new(HttpAuthScheme::Basic);
        key.description = Some("An ingest key as the password of any user.".to_owned());
        components.add_security_scheme("ingestKeyAsPassword", SecurityScheme::Http(key));
    }
}

/// The operations that have a second path.
struct SecondPaths;

impl Modify for SecondPaths {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, second_path) in SECOND_PATHS {
            let Some(item) = document.paths.paths.get(path) else { continue };
            let mut item = item.clone();
            // Names of operations are unique.
            if let Some(operation) = &mut item.get {
                operation.operation_id = operation.operation_id.take().map(|id| format!("{id}V1"));
            }
            document.paths.paths.insert(second_path.to_owned(), item);
        }
    }
}
