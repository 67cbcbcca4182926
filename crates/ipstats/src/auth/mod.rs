//! Who is asking, and may they?
//!
//! A bearer token is verified against the keys of the issuer it names ([`Verifier`]) and becomes a [`Caller`]: the
//! organization whose data it opens, the application that asks, the user it asks for if it does, and what it was granted.
//! A caller is asked for one [`Permission`] at a time. A log comes in under an ingest key instead ([`IngestKeys`]), which
//! permits nothing else. The built-in [`Authority`] issues tokens itself, to applications and users who prove their
//! secrets ([`SecretProofs`]); the keys of outside issuers are fetched (`provider`).
//!
//! Invariants: the algorithm comes from the key, never from the token; an issuer speaks for the organizations it was
//! configured for; a token with a user in it never counts as an application's; what is not understood is refused; tokens
//! and secrets are never logged. Time here is the system's, never the pinned clock of the data: clients compare a token's
//! expiry with their own clocks.

mod authority;
mod caller;
mod claims;
mod fetch;
mod figures;
mod ingest_keys;
mod issuers;
mod keys;
mod provider;
mod published_key;
mod reading;
mod registry;
mod remembered;
mod roles;
mod secret_proofs;
mod signing_key;
mod verifier;

pub use authority::{Authority, IssueError, IssuedToken, LOCAL_ISSUER, TOKEN_SECONDS, TokenVersion};
pub use caller::{Caller, Forbidden, Permission};
pub use figures::{Figures, IssuerFigures};
pub use ingest_keys::IngestKeys;
pub use issuers::Issuers;
pub use registry::Registry;
pub use roles::Roles;
pub use secret_proofs::{SecretProofs, SecretRefused};
pub use signing_key::{SigningKey, SigningKeyError};
pub use verifier::{TokenRefused, Trust, Verifier};
