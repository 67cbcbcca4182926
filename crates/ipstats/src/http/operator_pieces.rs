//! `GET /pieces` and `POST /pieces` at the operator's socket: what the store holds, for `ipstats copy`, and what another
//! store holds, from it.

use super::app::App;
use super::entrance::ClientAddress;
use super::error::ApiError;
use crate::copy::frames::{CHECKPOINTS_MAX, FRAME_BYTES_MAX, Frame};
use crate::store::{Store, StoreError};
use crate::telemetry::chain;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::channel::{Channel, Sender};
use ipstats_model::{Piece, Timestamp};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pieces that are taken in at once; each takes some tens of megabytes meanwhile.
const TAKEN_AT_ONCE_MAX: usize = 4;

/// Frames that wait for whoever reads them.
const WAITING_MAX: usize = 2;

#[derive(Clone)]
struct Pieces {
    app: Arc<App>,
    /// One reading at a time: it goes through everything there is.
    reading: Arc<Semaphore>,
    taking: Arc<Semaphore>,
}

/// The routes.
pub(super) fn routes(app: &Arc<App>) -> Router {
    let pieces = Pieces {
        app: Arc::clone(app),
        reading: Arc::new(Semaphore::new(1)),
        taking: Arc::new(Semaphore::new(TAKEN_AT_ONCE_MAX)),
    };
    Router::new()
        .route("/pieces", get(give).post(take))
        .layer(DefaultBodyLimit::max(FRAME_BYTES_MAX))
        .with_state(pieces)
}

async fn give(
    _: AtTheSocket,
    State(Pieces { app, reading, .. }): State<Pieces>,
) -> Result<Response, ApiError> {
    let busy = |_| ApiError::Unavailable(StoreError::Busy { waiting: 1 });
    let place = reading.try_acquire_owned().map_err(busy)?;
    let (sender, body) = Channel::<Bytes, Infallible>::new(WAITING_MAX);
    let giver = Giver { handle: Handle::current(), sender, _place: place };
    let (store, now) = (Arc::clone(&app.store), app.data_clock.now());
    tracing::info!("everything in the store is read at the operator's socket");
    tokio::task::spawn_blocking(move || giver.give(&store, now));
    Ok(([(CONTENT_TYPE, "application/octet-stream")], Body::new(body)).into_response())
}

async fn take(
    _: AtTheSocket,
    _place: TakingPlace,
    State(Pieces { app, .. }): State<Pieces>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let store = Arc::clone(&app.store);
    let now = app.data_clock.now();
    let taken = tokio::task::spawn_blocking(move || join(&store, &body, now)).await;
    let noted = taken.map_err(|error| ApiError::Internal(error.into()))??;
    Ok((StatusCode::OK, noted.to_string()).into_response())
}

/// Joins what a frame holds with the store; how many checkpoints were noted. Blocks.
fn join(store: &Store, body: &[u8], now: Timestamp) -> Result<usize, ApiError> {
    match Frame::decode(body) {
        Ok(Some((Frame::Piece(piece), []))) => Ok(store.add_piece_here(&piece, now).map(|()| 0)?),
        Ok(Some((Frame::Checkpoints(checkpoints), []))) => {
            store.add_checkpoints_here(&checkpoints).map_err(ApiError::Unavailable)
        }
        _ => Err(ApiError::CopyFrame),
    }
}

/// Whoever reaches an address of the operator reads metrics there; what is in the store is told at the socket alone. Others
/// are refused before anything of a body is read.
struct AtTheSocket;

impl<S: Sync> FromRequestParts<S> for AtTheSocket {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<ClientAddress>() {
            Some(_) => Err(ApiError::OperatorOnly),
            None => Ok(Self),
        }
    }
}

/// One of the few places for pieces, waited for before a body is read.
struct TakingPlace(
    #[expect(dead_code, reason = "it is held, and given back when it is dropped")] OwnedSemaphorePermit,
);

impl FromRequestParts<Pieces> for TakingPlace {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, pieces: &Pieces) -> Result<Self, ApiError> {
        let place = Arc::clone(&pieces.taking).acquire_owned().await;
        place.map(Self).map_err(|_| ApiError::Unavailable(StoreError::Closed))
    }
}

/// Writes frames into an answer. Ends when nobody reads it any more, as at a stop of the service.
struct Giver {
    handle: Handle,
    sender: Sender<Bytes, Infallible>,
    _place: OwnedSemaphorePermit,
}

impl Giver {
    fn give(mut self, store: &Store, now: Timestamp) {
        let last = match self.give_all(store, now) {
            Ok(left_out) => Frame::End(left_out),
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(reason, "what the store holds cannot be read");
                Frame::Failed(reason)
            }
        };
        let _ = self.send(last.encode());
    }

    fn give_all(&mut self, store: &Store, now: Timestamp) -> Result<crate::store::LeftOut, StoreError> {
        for some in store.all_checkpoints_here()?.chunks(CHECKPOINTS_MAX) {
            let _ = self.send(Frame::Checkpoints(some.to_vec()).encode());
        }
        store.read_pieces_here(now, |piece: Piece| self.send(Frame::of_piece(&piece)))
    }

    fn send(&mut self, frame: Vec<u8>) -> ControlFlow<()> {
        match self.handle.block_on(self.sender.send_data(Bytes::from(frame))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}
