//! Outside issuers: who else may vouch for callers, for whom, and in which words.

use super::access::{OrganizationEntry, choose, unique};
use super::claims::{self, ClaimNames, ClaimPath, IssuerKind, TokenContext};
use super::duration::Duration;
use super::issuer_keys::{self, KeySource};
use super::reader::Section;
use super::values::Name;
use super::{Place, PublicUrl};
use ipstats_model::Organization;
use std::collections::{BTreeMap, HashSet};
use strum::VariantArray as _;

/// What an issuer's name holds in place of the tenant when it issues for many.
pub const TENANT_PLACEHOLDER: &str = "{tenantid}";

/// How far an issuer's clock may be off, unless configured.
const CLOCK_SKEW_DEFAULT: Duration = Duration::of_seconds(60);

/// How far it may be off at most.
const CLOCK_SKEW_MAX: Duration = Duration::of_seconds(300);

/// An issuer other than the built-in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerEntry {
    /// What people call it; unique.
    pub name: String,
    /// The `iss` of its tokens, to the letter, where a tenant may be [`TENANT_PLACEHOLDER`]; unique.
    pub issuer: String,
    /// How its application tokens are recognised.
    pub kind: IssuerKind,
    /// The audiences that its tokens may be made out to.
    pub audiences: Vec<String>,
    /// How the organization of a token is found.
    pub organization: OrganizationRule,
    /// Where its tokens say what.
    pub claims: ClaimNames,
    /// On whose behalf its tokens may be.
    pub contexts: Vec<TokenContext>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// How far its clock may be off, in seconds.
    pub clock_skew_seconds: i64,
}

/// How the organization that a token speaks for is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationRule {
    /// It is the token's `tid`, and one of these.
    TenantId(Vec<Organization>),
    /// It is always this one.
    Fixed(Organization),
    /// A claim tells, by these values.
    Claim {
        /// The claim.
        claim: ClaimPath,
        /// What its values mean.
        values: BTreeMap<String, Organization>,
    },
}

/// The tables `[[issuers]]`. What is wrong with them is with the reader.
pub(super) fn read(
    root: &mut Section<'_>,
    organizations: &[OrganizationEntry],
    audiences: &[String],
    place: &Place<'_>,
) -> Vec<IssuerEntry> {
    let mut taken = Taken::default();
    let sections = root.sections("issuers").into_iter();
    sections.filter_map(|section| issuer(section, organizations, audiences, place, &mut taken)).collect()
}

/// What the tables above have taken.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    issuers: HashSet<String>,
    /// Names of issuers with [`TENANT_PLACEHOLDER`], with each tenant in its place.
    expanded: HashSet<String>,
}

impl IssuerEntry {
    /// Whether it issues for many tenants.
    pub fn is_multi_tenant(&self) -> bool {
        self.issuer.contains(TENANT_PLACEHOLDER)
    }

    /// The names under which it issues, and the tenant in each.
    pub fn issuer_names(&self) -> Vec<(String, Option<Organization>)> {
        if self.is_multi_tenant() {
            let expanded = expanded(&self.issuer, &self.organization);
            return expanded.map(|(name, tenant)| (name, Some(tenant))).collect();
        }
        vec![(self.issuer.clone(), tenant_in(&self.issuer))]
    }
}

/// The names of an issuer of many tenants, with each tenant that it may speak for in its place.
fn expanded(issuer: &str, rule: &OrganizationRule) -> impl Iterator<Item = (String, Organization)> {
    let tenants = match rule {
        OrganizationRule::TenantId(allowed) => allowed.as_slice(),
        OrganizationRule::Fixed(_) | OrganizationRule::Claim { .. } => &[],
    };
    tenants.iter().map(move |tenant| (issuer.replace(TENANT_PLACEHOLDER, &tenant.to_string()), *tenant))
}

/// Reports a name that an issuer of many tenants shares with another such one. With one that is written out it may: that
/// one is meant.
fn check_expanded(section: &Section<'_>, issuer: &str, rule: &OrganizationRule, taken: &mut HashSet<String>) {
    if !issuer.contains(TENANT_PLACEHOLDER) {
        return;
    }
    let names: HashSet<_> = expanded(issuer, rule).map(|(name, _)| name).collect();
    if let Some(name) = names.iter().filter(|name| taken.contains(*name)).min() {
        let why =
            format_args!("an issuer above that has {{tenantid}} in it, too, covers {name}: it must be one");
        section.problem("issuer", why);
    }
    taken.extend(names);
}

fn issuer(
    mut section: Section<'_>,
    organizations: &[OrganizationEntry],
    audiences: &[String],
    place: &Place<'_>,
    taken: &mut Taken,
) -> Option<IssuerEntry> {
    let name = section.require::<Name>("name");
    let issuer = section.require::<Name>("issuer");
    let kind = section.read::<IssuerKind>("kind").unwrap_or_default();
    let audiences =
        super::read_filled(&mut section, "audiences").map_or_else(|| audiences.to_vec(), Name::texts);
    let contexts = super::read_filled(&mut section, "contexts");
    let clock_skew = section.read::<Duration>("clock_skew").unwrap_or(CLOCK_SKEW_DEFAULT);
    if clock_skew > CLOCK_SKEW_MAX {
        section.problem(
            "clock_skew",
            format_args!("{clock_skew} is too long: clocks may differ by {CLOCK_SKEW_MAX} at most"),
        );
    }
    let organization =
        organization_rule(&mut section, issuer.as_ref().map_or("", |issuer| &issuer.0), kind, organizations);
    let keys = issuer_keys::read(&mut section, issuer.as_ref().map_or("", |issuer| &issuer.0), place);
    let claims = claims::read(section.section("claims"), kind);
    let name = name.filter(|name| unique(&section, "name", name.0.clone(), &mut taken.names));
    let issuer = issuer.filter(|issuer| unique(&section, "issuer", issuer.0.clone(), &mut taken.issuers));
    let issuer = issuer.filter(|issuer| is_outside(&section, &issuer.0, place.public_urls));
    if let (Some(issuer), Some(rule)) = (&issuer, &organization) {
        check_expanded(&section, &issuer.0, rule, &mut taken.expanded);
    }
    section.finish();
    Some(IssuerEntry {
        name: name?.0,
        issuer: issuer?.0,
        kind,
        audiences,
        organization: organization?,
        claims,
        contexts: contexts.unwrap_or_else(|| TokenContext::VARIANTS.to_vec()),
        keys: keys?,
        clock_skew_seconds: clock_skew.seconds,
    })
}

fn is_outside(section: &Section<'_>, issuer: &str, public_urls: &[PublicUrl]) -> bool {
    let inside = |url: &PublicUrl| {
        issuer.strip_prefix(url.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_outside = !public_urls.iter().any(inside);
    if !is_outside {
        section.problem(
            "issuer",
            "this is the service itself (one of public_urls): its own tokens are trusted anyway",
        );
    }
    is_outside
}

/// What was said about the organization of tokens.
struct Said {
    fixed: Option<Name>,
    claim: Option<ClaimPath>,
    values: Option<BTreeMap<String, Name>>,
    allowed: Option<Vec<Name>>,
}

/// `organization`, or `organization_claim` with `organization_values`, or else the token's `tid` with `organizations`.
fn organization_rule(
    section: &mut Section<'_>,
    issuer: &str,
    kind: IssuerKind,
    known: &[OrganizationEntry],
) -> Option<OrganizationRule> {
    let said = Said {
        fixed: section.read("organization"),
        claim: section.read("organization_claim"),
        values: section.read_map("organization_values"),
        allowed: section.read_list("organizations"),
    };
    check_combination(section, issuer, kind, &said);
    if known.is_empty() {
        section.problem(
            "issuer",
            "declare [[organizations]] first: an issuer speaks for organizations that are known",
        );
        return None;
    }
    let section = &*section;
    let resolve =
        |key, name: &Name| choose(known, Some(&name.0)).map_err(|error| section.problem(key, error)).ok();
    if let Some(name) = &said.fixed {
        return resolve("organization", name).map(OrganizationRule::Fixed);
    }
    let every = || Some(known.iter().map(|entry| entry.id).collect());
    let named = |names: &Vec<Name>| names.iter().map(|name| resolve("organizations", name)).collect();
    let allowed: Vec<_> = said.allowed.as_ref().map_or_else(every, named)?;
    let Some(claim) = said.claim else { return tenant_rule(section, issuer, allowed) };
    let values = match said.values {
        Some(values) => {
            let values = values.into_iter();
            values
                .map(|(value, name)| Some((value, resolve("organization_values", &name)?)))
                .collect::<Option<_>>()?
        }
        None => names_and_ids(known, &allowed),
    };
    Some(OrganizationRule::Claim { claim, values })
}

/// What an organization may be called by a claim, where nothing else is said.
fn names_and_ids(known: &[OrganizationEntry], allowed: &[Organization]) -> BTreeMap<String, Organization> {
    let entries = known.iter().filter(|entry| allowed.contains(&entry.id));
    entries.flat_map(|entry| [(entry.id.to_string(), entry.id), (entry.name.clone(), entry.id)]).collect()
}

/// Reports what does not go together.
fn check_combination(section: &Section<'_>, issuer: &str, kind: IssuerKind, said: &Said) {
    let (fixed, claim) = (said.fixed.is_some(), said.claim.is_some());
    let is_multi_tenant = issuer.contains(TENANT_PLACEHOLDER);
    let problems = [
        (fixed && claim, "organization_claim", "either organization or organization_claim, not both"),
        (
            is_multi_tenant && (fixed || claim),
            if fixed { "organization" } else { "organization_claim" },
            "leave it out: the issuer has {tenantid} in it, so that the token's tid is the organization",
        ),
        (
            is_multi_tenant && kind != IssuerKind::Entra,
            "issuer",
            "{tenantid} is known for the kind entra only",
        ),
        (
            kind != IssuerKind::Entra && !fixed && !claim,
            "kind",
            "tokens of this kind have no tid: set organization, or organization_claim, to say whose data they open",
        ),
        (
            said.values.is_some() && !claim,
            "organization_values",
            "these are values of organization_claim, which is missing",
        ),
        (
            said.allowed.is_some() && (fixed || said.values.is_some()),
            "organizations",
            "leave it out: which organizations there are is said already",
        ),
    ];
    for (_, key, why) in problems.into_iter().filter(|(is_wrong, ..)| *is_wrong) {
        section.problem(key, why);
    }
}

/// The rule of `tid`. A tenant in the issuer's name must be an organization: no token could be accepted else.
fn tenant_rule(section: &Section<'_>, issuer: &str, allowed: Vec<Organization>) -> Option<OrganizationRule> {
    match tenant_in(issuer) {
        Some(tenant) if !allowed.contains(&tenant) => {
            let why =
                format_args!("the tenant {tenant} in it is none of the organizations: add one with this id");
            section.problem("issuer", why);
            None
        }
        _ => Some(OrganizationRule::TenantId(allowed)),
    }
}

/// The tenant in the name of an issuer that issues for one: the first part of its path that is a GUID.
pub fn tenant_in(issuer: &str) -> Option<Organization> {
    issuer.split('/').skip(3).find_map(|part| part.parse().ok())
}
