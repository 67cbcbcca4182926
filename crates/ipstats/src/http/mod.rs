//! The HTTP service: what clients of Defender's API see (docs/api.md), and the token endpoints of the built-in
//! authority.
//!
//! Only this module names axum. One file an endpoint; each is a few calls from the request to the domain and back. What
//! can go wrong is one enum a border (`error.rs`, `token_error.rs`), matched exhaustively to what the client sees.

mod accept;
mod acceptance;
mod app;
mod authority;
mod bearer;
mod body;
mod entrance;
mod error;
mod forwarded;
mod framing;
mod health;
mod ingest;
mod ip_stats;
mod metadata;
mod odata;
mod openapi;
mod operator;
mod operator_pieces;
mod operator_socket;
mod other_operations;
mod peers;
mod public_urls;
mod quota;
mod response_headers;
mod server;
mod service_document;
mod tenant;
mod tls;
mod token;
mod token_error;
mod token_form;
mod trail;
mod watch;

pub use app::{App, AppError, ReloadError};
pub use entrance::Entrance;
pub use operator::operator_router;
pub use operator_socket::{OperatorSocket, SocketError};
pub use server::{Shutdown, serve};
pub use tls::{Identity, Tls, TlsError};

use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

/// Shortest document that is compressed, in bytes. Answers about addresses are shorter than that.
const COMPRESSED_BYTES_MIN: u16 = 1024;

/// All routes over `app`.
pub fn router(app: Arc<App>) -> Entrance {
    let questions = Router::new()
        .route("/api/ips/{ip}/stats", get(ip_stats::get))
        .route("/api/v1.0/ips/{ip}/stats", get(ip_stats::get))
        .route("/{tenant}/oauth2/authorize", get(authority::authorize))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authority::authorize))
        .route("/{tenant}/oauth2/token", post(token::post_v1))
        .route("/{tenant}/oauth2/v2.0/token", post(token::post_v2))
        .route("/{tenant}/.well-known/openid-configuration", get(authority::configuration_v1))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(authority::configuration_v2))
        .route("/{tenant}/discovery/keys", get(authority::keys))
        .route("/{tenant}/discovery/v2.0/keys", get(authority::keys))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready));
    let routes = questions
        .merge(documents())
        .merge(ingest::routes())
        .fallback(error::unknown_route)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(Arc::clone(&app));
    Entrance::to_service(app, routes)
}

/// What is the same for everybody, and long enough to be worth compressing where a client asks for it.
fn documents() -> Router<Arc<App>> {
    Router::new()
        .route("/api", get(service_document::get))
        .route("/api/", get(service_document::get))
        .route("/api/v1.0", get(service_document::get))
        .route("/api/v1.0/", get(service_document::get))
        .route("/api/$metadata", get(metadata::get))
        .route("/api/v1.0/$metadata", get(metadata::get))
        .route("/api/openapi.json", get(openapi::get))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN)))
}
