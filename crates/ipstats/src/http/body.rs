//! Short bodies, read whole.

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};

/// The whole body; nothing where it is longer than `bytes_max` or breaks off. A client that waits for `100 Continue` with
/// a body that is too long is not asked for it.
pub(super) async fn read_body(body: Body, bytes_max: usize) -> Option<Bytes> {
    if body.size_hint().lower() > bytes_max as u64 {
        return None;
    }
    to_bytes(body, bytes_max).await.ok()
}
