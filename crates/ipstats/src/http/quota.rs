//! The quota of a caller: asked before anything else is looked at, the permission included.

use super::app::App;
use super::error::ApiError;
use crate::auth::Caller;
use crate::limit::{CallKey, Decision, retry_after_seconds};
use crate::operation::Operation;
use std::time::Duration;

/// Counts one call of `operation` that came at `now`, or refuses it.
pub(super) async fn spend(
    app: &App,
    caller: &Caller,
    operation: Operation,
    now: Duration,
) -> Result<(), ApiError> {
    let key = CallKey { organization: caller.organization, application: &caller.application, operation };
    match app.limiter.decide(key, now).await {
        Ok(Decision::Admitted) => Ok(()),
        Ok(Decision::Refused { limit, free_at, pause }) => {
            if !pause.is_zero() {
                Box::pin(tokio::time::sleep(pause)).await;
            }
            let now = app.token_clock.elapsed();
            app.metrics.count_rate_limited(caller.organization);
            let retry_after_seconds = retry_after_seconds(free_at, now);
            Err(ApiError::TooManyRequests { limit, retry_after_seconds })
        }
        Err(source) => {
            let retry_after_seconds = retry_after_seconds(source.free_at, now);
            Err(ApiError::TooManyCallers { source, retry_after_seconds })
        }
    }
}
