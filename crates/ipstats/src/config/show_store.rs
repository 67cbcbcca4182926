//! The table `[store]` of the effective configuration.

use super::duration::Duration;
use super::{ClickHouseLogin, Layout, ServerUrl, StoreBackend};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
#[serde(tag = "backend", rename_all = "lowercase")]
pub(super) enum Store<'a> {
    Embedded,
    ClickHouse {
        urls: Vec<&'a str>,
        plain_http: bool,
        database: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        password_file: Option<&'a Path>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ca_file: Option<&'a Path>,
        ca_only: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<&'a str>,
        replicated: bool,
        insert_quorum: u32,
        timeout: String,
    },
}

impl<'a> Store<'a> {
    pub(super) fn of(backend: &'a StoreBackend) -> Self {
        let access = match backend {
            StoreBackend::Embedded => return Self::Embedded,
            StoreBackend::ClickHouse(access) => access,
        };
        let login = access.login.as_ref();
        Self::ClickHouse {
            urls: access.urls.iter().map(ServerUrl::as_str).collect(),
            plain_http: access.urls.iter().any(|url| !url.keeps_secrets()),
            database: &access.database,
            username: login.map(|login| login.username.as_str()),
            password_file: login.and_then(ClickHouseLogin::password_file),
            ca_file: access.ca_file.as_deref(),
            ca_only: access.ca_only,
            cluster: access.layout.cluster(),
            replicated: matches!(access.layout, Layout::Replicated { .. }),
            insert_quorum: access.insert_quorum,
            timeout: Duration::of_seconds(access.timeout.as_secs().try_into().unwrap_or(i64::MAX))
                .to_string(),
        }
    }
}
