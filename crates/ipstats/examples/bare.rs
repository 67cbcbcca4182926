//! A bare axum handler that answers a constant, over hyper as the service uses it: what `benches/http.sh` compares with.

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::time::Duration;

/// As the binary's: both are to differ in what they do, not in what they are built of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stdout, reason = "the script waits for the address")]
fn main() -> anyhow::Result<()> {
    let body: &'static str = std::env::args().nth(1).unwrap_or_default().leak();
    // The headers of an answer, so that it is of the same size.
    let headers = [
        ("content-type", "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"),
        ("odata-version", "4.0"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ]
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let headers = HeaderMap::from_iter(headers);
    let router = Router::new().route("/api/ips/{ip}/stats", get(async move || (headers, body)));
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = TowerToHyperService::new(router.clone());
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30))
                .max_buf_size(64 * 1024)
                .max_headers(100)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // A client that went away is none of our business.
                let _ = connection.await;
            });
        }
    })
}
