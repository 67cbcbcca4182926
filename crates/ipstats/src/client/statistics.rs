//! "Get IP statistics", asked of a service.

use super::courier::{Courier, Reply};
use super::error::{ApiError, ClientError, Step};
use super::tokens::{Token, Tokens};
use crate::config::{Proof, ServerUrl};
use ipstats_model::{CanonicalIp, LookBack};
use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use std::time::Duration;

const QUESTION_SECONDS_MAX: u64 = 60;

/// Asks one service.
pub struct Statistics {
    url: ServerUrl,
    look_back: LookBack,
    tokens: Tokens,
    courier: Courier,
}

/// What a service says about an IP. Older services of Defender send only one of the two numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatisticsAnswer {
    /// `@odata.context`.
    #[serde(rename = "@odata.context")]
    pub context: Option<String>,
    /// The address, as the service writes it.
    pub ip_address: String,
    org_prevalence: Option<String>,
    organization_prevalence: Option<u64>,
    /// The first contact within the window.
    pub org_first_seen: Option<String>,
    /// The last contact within the window.
    pub org_last_seen: Option<String>,
}

/// A service has no answer about one IP; it may have one about others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The code of the error, such as `ResourceNotFound`.
    pub code: String,
    /// What the service says.
    pub message: String,
}

impl Statistics {
    /// Questions to the service at `url`, all with the same look-back.
    pub fn new(url: ServerUrl, look_back: LookBack, proof: Proof, courier: Courier) -> Self {
        Self { url, look_back, tokens: Tokens::new(proof), courier }
    }

    /// What the service says about `ip`. The error is about the service, not about the IP.
    pub fn of(&self, ip: CanonicalIp) -> Result<Result<StatisticsAnswer, Refused>, ClientError> {
        let token = self.tokens.current(&self.courier)?;
        let mut reply = self.ask(ip, &token)?;
        if reply.status == StatusCode::UNAUTHORIZED
            && let Some(another) = self.tokens.instead_of(&token, &self.courier)?
        {
            reply = self.ask(ip, &another)?;
        }
        self.read(&reply)
    }

    fn ask(&self, ip: CanonicalIp, token: &Token) -> Result<Reply, ClientError> {
        let mut url = format!("{}/api/ips/{ip}/stats", self.url.base());
        if self.look_back != LookBack::MAX {
            url = format!("{url}?lookBackHours={}", self.look_back.hours());
        }
        self.courier.carry(Step::Statistics, &self.url, |http| {
            Ok::<_, ClientError>(
                http.get(&url)
                    .bearer_auth(token.reveal())
                    .header(ACCEPT, "application/json")
                    .timeout(Duration::from_secs(QUESTION_SECONDS_MAX)),
            )
        })
    }

    fn read(&self, reply: &Reply) -> Result<Result<StatisticsAnswer, Refused>, ClientError> {
        if reply.status == StatusCode::OK {
            let answer = serde_json::from_slice(&reply.body).map_err(|error| self.odd(error.to_string()))?;
            return Ok(Ok(answer));
        }
        let is_about_the_ip = matches!(
            reply.status,
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR
        );
        match ApiError::in_reply(reply) {
            // The path itself is unknown there.
            Some(error) if error.code == "NotFound" => Err(self.odd(error.message)),
            Some(ApiError { code, message }) if is_about_the_ip => Ok(Err(Refused { code, message })),
            _ => Err(ClientError::of(Step::Statistics, &self.url, reply)),
        }
    }

    fn odd(&self, reason: String) -> ClientError {
        ClientError::NotTheApi { step: Step::Statistics, url: self.url.clone(), reason }
    }
}

impl StatisticsAnswer {
    /// How many devices contacted the IP within the window.
    pub fn prevalence(&self) -> u64 {
        let in_text = self.org_prevalence.as_ref().and_then(|text| text.parse().ok());
        in_text.or(self.organization_prevalence).unwrap_or(0)
    }
}
