//! The table `[rate_limits_shared]`, as `config show` writes it.

use super::{Password, SharedLimits};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
pub(super) struct RateLimitsShared<'a> {
    url: String,
    plain_redis: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<&'a Path>,
    ca_only: bool,
    replicas: u32,
}

impl<'a> RateLimitsShared<'a> {
    pub(super) fn of(shared: &'a SharedLimits) -> Self {
        Self {
            url: shared.url.to_string(),
            plain_redis: !shared.url.keeps_secrets(),
            username: shared.username.as_deref(),
            password_file: shared.password.as_ref().and_then(Password::file),
            ca_file: shared.ca_file.as_deref(),
            ca_only: shared.ca_only,
            replicas: shared.replicas.get(),
        }
    }
}
