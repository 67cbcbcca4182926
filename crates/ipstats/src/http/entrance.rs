//! What a request passes before it is routed: who sends it, which public URL it was made to, and its path below that
//! URL. Here and nowhere else are `Host` and the headers of proxies read.

use super::app::{App, Snapshot};
use super::forwarded::Told;
use super::framing::names_one_host;
use super::public_urls::{AskedUrl, without_prefix};
use super::watch;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::HOST;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Request, Uri};
use axum::response::Response;
use futures_util::FutureExt;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tower::ServiceExt;

/// Routes and what stands in front of them.
#[derive(Clone)]
pub struct Entrance {
    app: Arc<App>,
    behind: Behind,
    peer: Option<IpAddr>,
    /// Told when a request came.
    begun: Arc<Begun>,
}

/// Whether a request came on a connection.
#[derive(Default)]
pub(super) struct Begun {
    has_begun: AtomicBool,
    told: Notify,
}

impl Begun {
    /// Waits until one came.
    pub(super) async fn wait(&self) {
        self.told.notified().await;
    }

    fn note(&self) {
        if !self.has_begun.load(Ordering::Relaxed) {
            self.has_begun.store(true, Ordering::Relaxed);
            self.told.notify_one();
        }
    }
}

#[derive(Clone)]
enum Behind {
    /// What clients see: each request is watched.
    Service(Router),
    /// What the operator sees: nobody keeps count.
    Operator(Router),
}

/// The address of the client that a request comes from, as far as trusted proxies tell; an extension of each request to
/// the operator's routes that came from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress(pub(super) IpAddr);

/// What is found out about a request before it is routed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission {
    /// The address it comes from, as far as trusted proxies tell; none where it came over no connection.
    pub(super) client: Option<IpAddr>,
    /// It came over a connection and does not name its host once.
    pub(super) is_host_unclear: bool,
}

/// An answer to come.
type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Entrance {
    /// The entrance to the routes of the service.
    pub(super) fn to_service(app: Arc<App>, routes: Router) -> Self {
        Self { app, behind: Behind::Service(routes), peer: None, begun: Arc::default() }
    }

    /// The entrance to the routes of the operator.
    pub(super) fn to_operator(app: Arc<App>, routes: Router) -> Self {
        Self { app, behind: Behind::Operator(routes), peer: None, begun: Arc::default() }
    }

    /// The entrance for requests on a connection from `peer`.
    #[must_use]
    pub fn of_peer(&self, peer: IpAddr) -> Self {
        Self { peer: Some(peer.to_canonical()), begun: Arc::default(), ..self.clone() }
    }

    /// Whether the connection comes from a trusted proxy.
    pub(super) fn is_of_proxy(&self) -> bool {
        self.peer.is_some_and(|peer| self.app.snapshot().proxies.trust(peer))
    }

    /// Told when the first request of the connection came.
    pub(super) fn begun(&self) -> Arc<Begun> {
        Arc::clone(&self.begun)
    }

    fn answer(&self, mut request: Request<Body>) -> Answering {
        self.begun.note();
        let admission = self.admit(&mut request);
        match &self.behind {
            Behind::Service(routes) => {
                Box::pin(watch::answer(Arc::clone(&self.app), routes.clone(), admission, request).map(Ok))
            }
            Behind::Operator(routes) => {
                if let Some(client) = admission.client {
                    request.extensions_mut().insert(ClientAddress(client));
                }
                Box::pin(routes.clone().oneshot(request))
            }
        }
    }

    fn admit(&self, request: &mut Request<Body>) -> Admission {
        let snapshot = self.app.snapshot();
        let proxy = self.peer.filter(|peer| snapshot.proxies.trust(*peer));
        let told = proxy.map(|_| Told::by(&snapshot.proxies, request.headers()));
        let client = self.peer.map(|peer| match &told {
            Some(told) => told.client(&snapshot.proxies, peer),
            None => peer,
        });
        let asked = (!snapshot.public_urls.is_one_without_prefix())
            .then(|| asked(&snapshot, told.as_ref(), request.uri(), request.headers()));
        if let Some(url) = asked {
            if let Some(stripped) = below(request.uri(), url.prefix()) {
                *request.uri_mut() = stripped;
            }
            request.extensions_mut().insert(url);
        }
        Admission { client, is_host_unclear: client.is_some() && !names_one_host(request) }
    }
}

/// The public URL that was asked: of the host that a trusted proxy tells, else of the request's own.
fn asked(snapshot: &Snapshot, told: Option<&Told<'_>>, uri: &Uri, headers: &HeaderMap) -> AskedUrl {
    let urls = &snapshot.public_urls;
    let scheme = told.and_then(|told| told.scheme).unwrap_or(snapshot.scheme);
    let find = |host: &str| urls.find(host, scheme, uri.path());
    let own = || match uri.authority() {
        // Of a target in absolute form, and over HTTP/2.
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    let by_proxy = told.and_then(|told| told.hosts.iter().find_map(|host| find(host)));
    by_proxy.or_else(|| own().and_then(find)).unwrap_or_else(|| AskedUrl::untold(urls))
}

/// The URI below a prefix that a proxy may or may not have taken away.
fn below(uri: &Uri, prefix: &str) -> Option<Uri> {
    if prefix.is_empty() {
        return None;
    }
    let rest = without_prefix(uri.path_and_query()?.as_str(), prefix)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

/// For requests that come over a connection.
impl hyper::service::Service<Request<Incoming>> for Entrance {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.answer(request.map(Body::new))
    }
}

/// For requests that do not.
impl<B> tower::Service<Request<B>> for Entrance
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        self.answer(request.map(Body::new))
    }
}
