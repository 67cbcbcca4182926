//! Operations of Defender that this service does not have: 501, after the token is checked.
//!
//! A 404 here would mislead: clients of Defender take it for an answer, such as "file not seen" or "no such device".

use super::app::App;
use super::error::ApiError;
use super::trail::Trail;
use super::{bearer, quota};
use crate::clock::Moment;
use crate::operation::Operation;
use axum::http::HeaderMap;

/// First segments of the paths of Defender's documented operations ("Supported Microsoft Defender for Endpoint APIs" and the
/// pages below it, today's and earlier ones), and of those of Defender XDR at the same hosts.
const ENTITIES: [&str; 28] = [
    "actors",
    "advancedhunting",
    "advancedqueries",
    "alerts",
    "authenticatedscans",
    "baselineconfigurations",
    "baselineprofiles",
    "browserextensions",
    "configurationscore",
    "dataexportsettings",
    "deviceauthenticatedscanagents",
    "deviceauthenticatedscandefinitions",
    "deviceavinfo",
    "domains",
    "exposurescore",
    "files",
    "incidents",
    "indicators",
    "investigations",
    "libraryfiles",
    "machineactions",
    "machines",
    "public",
    "recommendations",
    "remediationtasks",
    "software",
    "users",
    "vulnerabilities",
];

/// What Defender answers below an address, statistics aside.
const BELOW_ADDRESS: [&str; 2] = ["alerts", "machines"];

/// Whether Defender documents an operation at this path that this service does not have.
pub(super) fn includes(path: &str) -> bool {
    let Some(below) = path.strip_prefix("/api/") else { return false };
    let below = below.strip_prefix("v1.0/").unwrap_or(below);
    let mut segments = below.split('/');
    let first = segments.next().unwrap_or_default();
    if first == "ips" {
        let has_address = segments.next().is_some_and(|address| !address.is_empty());
        return has_address && segments.next().is_some_and(|segment| is_one_of(segment, &BELOW_ADDRESS));
    }
    is_one_of(first, &ENTITIES)
}

/// OData has keys and parameters in parentheses after a name, and real clients spell names in any case.
fn is_one_of(segment: &str, names: &[&str]) -> bool {
    let name = segment.split('(').next().unwrap_or_default();
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Why a request that arrived at `now` is not answered. It counts towards its own quota, as each operation has one.
pub(super) async fn refuse(app: &App, trail: &Trail, now: Moment, headers: &HeaderMap) -> ApiError {
    let snapshot = app.whole_snapshot();
    let admitted = async {
        let caller = bearer::caller(app, &snapshot, headers, trail, now.timestamp()).await?;
        quota::spend(app, &caller, Operation::NotImplemented, now.elapsed).await
    };
    admitted.await.err().unwrap_or(ApiError::NotImplemented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_paths_are_recognized() {
        for path in [
            "/api/alerts",
            "/api/v1.0/alerts",
            "/api/Alerts/da637_1",
            "/api/alerts/",
            "/api/machines/1e5bc9d7e413ddd7902c2932e418702b84d0cc07/isolate",
            "/api/machines/findbyip(ip='10.248.240.38',timestamp=2019-09-22T08:44:05Z)",
            "/api/alerts('x')",
            "/api/domains/example.com/stats",
            "/api/files/6532ec91d513acc05f43ee0aa3002599729fd3e1/stats",
            "/api/ips/192.0.2.1/alerts",
            "/api/v1.0/ips/192.0.2.1/machines",
            "/api/users/user1/alerts",
            "/api/exposureScore",
            "/api/Vulnerabilities/machinesVulnerabilities",
        ] {
            assert!(includes(path), "{path}");
        }
        for path in [
            "/api",
            "/api/",
            "/api/v1.0",
            "/api/v1.0/",
            "/api/$metadata",
            "/api/openapi.json",
            "/api/ingest/auto",
            "/api/ips",
            "/api/ips/192.0.2.1",
            "/api/ips//alerts",
            "/api/ips/192.0.2.1/stats",
            "/api/ips/192.0.2.1/stats/",
            "/api/v2.0/alerts",
            "/api//alerts",
            "/alerts",
            "/api/alertss",
            "/api/nonsense",
            "/alerts/oauth2/token",
        ] {
            assert!(!includes(path), "{path}");
        }
    }
}
