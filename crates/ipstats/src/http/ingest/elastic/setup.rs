//! What clients of Elasticsearch ask and set up before they send.

use super::error::ElasticError;
use super::json;
use crate::http::error::{ApiError, excerpt};
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json as value};

/// Whatever stands below these can be asked for and set up: templates, policies, pipelines, and who else there is.
const ACCEPTED: [&str; 14] = [
    "_alias",
    "_aliases",
    "_bulk_stats",
    "_cluster",
    "_component_template",
    "_data_stream",
    "_ilm",
    "_index_template",
    "_ingest",
    "_lifecycle",
    "_logstash",
    "_nodes",
    "_template",
    "_xpack",
];

/// The answer to a request that brings no documents.
pub(super) fn answer(method: &Method, path: &[&str], version: &str) -> Result<Response, ElasticError> {
    let asked = matches!(*method, Method::GET | Method::HEAD);
    let body = match path {
        [] if asked => about(version),
        ["_license", ..] if asked => value!({ "license": {
            "status": "active", "uid": "00000000-0000-0000-0000-000000000000", "type": "basic", "mode": "basic"
        } }),
        ["_xpack", ..] if asked => value!({
            "license": { "status": "active", "type": "basic", "mode": "basic" },
            "features": { "ilm": { "available": true, "enabled": true } }
        }),
        ["_cluster", "health", ..] if asked => health(),
        ["_nodes", ..] if asked => value!({ "cluster_name": "ipstats", "nodes": {} }),
        [first, ..] if ACCEPTED.contains(first) => accepted(method, asked)?,
        // Beats look whether an index, an alias or a data stream of theirs is there; it is.
        [name] if asked && !name.starts_with('_') => value!({}),
        _ => return Err(ApiError::UnknownRoute(excerpt(&path.join("/"))).into()),
    };
    Ok(json(body.to_string()))
}

fn accepted(method: &Method, asked: bool) -> Result<Value, ElasticError> {
    match *method {
        _ if asked => Ok(value!({})),
        Method::PUT | Method::POST => Ok(value!({ "acknowledged": true })),
        _ => Err(ApiError::MethodNotAllowed(method.clone()).into()),
    }
}

fn about(version: &str) -> Value {
    value!({
        "name": "ipstats",
        "cluster_name": "ipstats",
        "cluster_uuid": "aXBzdGF0cy1pcHN0YXRzLQ",
        "version": {
            "number": version,
            "build_flavor": "default",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0"
        },
        "tagline": "You Know, for Search"
    })
}

fn health() -> Value {
    value!({
        "cluster_name": "ipstats",
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": 1,
        "active_shards": 1,
        "unassigned_shards": 0
    })
}
