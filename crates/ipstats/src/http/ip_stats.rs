//! `GET /api/ips/{ip}/stats`: "Get IP statistics".

use super::app::App;
use super::error::{ApiError, excerpt};
use super::odata::{self, Metadata, Options};
use super::openapi::{IpText, JsonFormat, QuestionErrors};
use super::public_urls::AskedUrl;
use super::trail::Trail;
use super::{bearer, quota};
use crate::answer::Answer;
use crate::auth::Permission;
use crate::clock::Moment;
use crate::operation::Operation;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, Method, Uri};
use axum::response::Response;
use ipstats_model::{CanonicalIp, LookBack, Window};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::sync::Arc;

#[utoipa::path(
    get,
    path = "/api/ips/{ip}/stats",
    operation_id = "getIpStats",
    tag = "statistics",
    summary = "Get IP statistics",
    description = "How many distinct devices of the caller's organization opened a connection to the address within \
        the window, and when the first and the last connection was.",
    params(
        ("ip" = IpText, Path, description = "IPv4 as a dotted quad, or IPv6 in any text form of RFC 4291.",
            example = "10.209.67.177"),
        ("lookBackHours" = Option<i32>, Query, minimum = 1, maximum = 720, example = 48,
            description = "How many hours before now the window begins; 720 unless given. Given once."),
        ("$format" = Option<JsonFormat>, Query, description = "How much metadata there is; wins over Accept."),
    ),
    responses(
        (status = 200, description = "The statistics.", body = Answer, content_type = "application/json",
            headers(("OData-Version" = String))),
        QuestionErrors
    ),
    security(("token" = []), ("authority" = ["https://api.securitycenter.microsoft.com/.default"]))
)]
pub(super) async fn get(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let trail = Trail::of(request.extensions());
    answer(&app, &trail, app.token_clock.moment(), Head::of(&request)).await
}

/// What of a request is looked at.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        Self { uri: request.uri(), headers: request.headers(), extensions: request.extensions() }
    }
}

/// The answer to a request that came at `now`, and whose path is that of [`get`].
pub(super) async fn answer(
    app: &App,
    trail: &Trail,
    now: Moment,
    head: Head<'_>,
) -> Result<Response, ApiError> {
    let Head { uri, headers, extensions } = head;
    let snapshot = app.whole_snapshot();
    let caller = bearer::caller(app, &snapshot, headers, trail, now.timestamp()).await?;
    quota::spend(app, &caller, Operation::IpStats, now.elapsed).await?;
    caller.require(Permission::IpReadAll)?;
    let ip = ip_in(uri)?;
    odata::check_version(headers)?;
    let (look_back, options) = query_of(uri)?;
    let metadata = options.metadata(headers)?;
    trail.note_question(ip, look_back);
    let window = Window::ending_at(app.data_clock.at(now), look_back);
    let statistics = app.store.statistics(caller.organization, ip, window).await?;
    let answer = Answer::new(ip, statistics, snapshot.unknown_ip)?;
    let url = || AskedUrl::of(extensions, &snapshot);
    let answer = match metadata {
        Metadata::None => answer,
        Metadata::Minimal => answer.with_context(url().as_str()),
        Metadata::Full => answer.with_context(url().as_str()).with_types(),
    };
    Ok(odata::json(answer.to_json(), metadata))
}

/// What a path has where the operation has the address, still percent-encoded; none where it is not a path of the
/// operation. With a prefix length, as in `8.8.8.8/32`, it is two segments: clients forget to encode the slash.
pub(super) fn address_in(path: &str) -> Option<&str> {
    let below = path.strip_prefix("/api/ips/").or_else(|| path.strip_prefix("/api/v1.0/ips/"))?;
    let address = below.strip_suffix("/stats")?;
    let is_segment = |segment: &str| !segment.is_empty() && !segment.contains('/');
    let (first, second) =
        address.split_once('/').map_or((address, None), |(first, rest)| (first, Some(rest)));
    (is_segment(first) && second.is_none_or(is_prefix_length)).then_some(address)
}

/// Whether a request is answered without asking the routes: the one question that is asked all the time, and a network in
/// place of an address, for which there is no route.
pub(super) fn is_answered_unrouted(request: &Request) -> bool {
    match *request.method() {
        Method::GET => true,
        Method::HEAD => address_in(request.uri().path()).is_some_and(|address| address.contains('/')),
        _ => false,
    }
}

fn is_prefix_length(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Percent-decoded. What does not decode to text is not an address either; the message shows it as it was sent.
fn decoded(as_sent: &str) -> Cow<'_, str> {
    percent_decode_str(as_sent).decode_utf8().unwrap_or(as_sent.into())
}

/// The IP in the path.
fn ip_in(uri: &Uri) -> Result<CanonicalIp, ApiError> {
    let as_sent = address_in(uri.path()).unwrap_or_default();
    let text = decoded(as_sent);
    // No address is as long as what an error cuts off.
    let parsed = text.parse::<CanonicalIp>().or_else(|_| excerpt(&text).parse());
    parsed.map_err(|invalid| match as_sent.split_once('/') {
        Some((address, _)) if decoded(address).parse::<CanonicalIp>().is_ok() => ApiError::Network(invalid),
        _ => invalid.into(),
    })
}

/// `lookBackHours` in the query, and OData's own options. Other parameters are ignored.
fn query_of(uri: &Uri) -> Result<(LookBack, Options), ApiError> {
    let (mut look_back, mut options) = (None, Options::default());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        options.note(&name, &value)?;
        if name.eq_ignore_ascii_case("lookBackHours") && look_back.replace(parse_look_back(&value)?).is_some()
        {
            return Err(ApiError::InvalidLookBackHours("is given twice".to_owned()));
        }
    }
    Ok((look_back.unwrap_or_default(), options))
}

fn parse_look_back(text: &str) -> Result<LookBack, ApiError> {
    let hours = text.parse::<i32>().ok();
    hours
        .and_then(|hours| LookBack::from_hours(hours.into()).ok())
        .ok_or_else(|| ApiError::InvalidLookBackHours(format!("is {:?}", excerpt(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_back(query: &str) -> Result<u16, String> {
        let uri = format!("/api/ips/1.2.3.4/stats?{query}").parse().unwrap();
        query_of(&uri).map(|(look_back, _)| look_back.hours()).map_err(|error| error.to_string())
    }

    #[test]
    fn look_back_hours_is_an_int32_from_1_to_720_given_once() {
        for (query, hours) in [
            ("", 720),
            ("lookBackHours=48", 48),
            ("LOOKBACKHOURS=1", 1),
            ("lookbackhours=720", 720),
            ("lookBackHours=048", 48),
            ("lookBackHours=%2B48", 48),
            ("%6cookBackHours=4%38", 48),
            ("other=1&lookBackHours=5&another=", 5),
        ] {
            assert_eq!(look_back(query), Ok(hours), "{query}");
        }
        for value in
            ["0", "-1", "721", "", "48.0", "1e2", "abc", "0x10", " 48", "48 ", "2147483648", "99999999999999"]
        {
            assert!(look_back(&format!("lookBackHours={}", value.replace(' ', "%20"))).is_err(), "{value}");
        }
        assert!(look_back("lookBackHours=48&lookbackhours=48").unwrap_err().contains("twice"));
        assert!(look_back("lookBackHours").is_err());
    }

    #[test]
    fn options_of_odata_are_not_ignored() {
        for query in ["$top=1", "%24filter=x", "$", "lookBackHours=48&$select=orgPrevalence"] {
            assert!(look_back(query).unwrap_err().contains("query option $"), "{query}");
        }
    }
}
