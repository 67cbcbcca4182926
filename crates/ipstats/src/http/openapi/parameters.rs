//! Schemas of what a request carries.

use ipstats_formats::FormatChoice;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// An IP address in a path.
pub(in crate::http) struct IpText;

impl PartialSchema for IpText {
    fn schema() -> RefOr<Schema> {
        let text = |format| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(format)))
                .build()
        };
        AnyOfBuilder::new().item(text(KnownFormat::Ipv4)).item(text(KnownFormat::Ipv6)).into()
    }
}

impl ToSchema for IpText {}

/// Schemas of texts that are one of a few words.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $words:expr;)+) => {
        $(
            $(#[$doc])*
            pub(in crate::http) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new().schema_type(Type::String).enum_values(Some($words)).into()
                }
            }

            impl ToSchema for $name {}
        )+
    };
}

words! {
    /// The name of a log format.
    FormatName: FormatChoice::names();
    /// `$format` of what exists in JSON only.
    JsonFormat: JSON_FORMATS;
    /// `$format` of what exists in JSON and in XML.
    DocumentFormat: ["json", "xml", "application/json", "application/xml"];
    /// What the token endpoints grant for.
    GrantType: ["client_credentials", "password"];
}

/// Values of `$format` that ask for JSON.
const JSON_FORMATS: [&str; 5] = [
    "json",
    "application/json",
    "application/json;odata.metadata=none",
    "application/json;odata.metadata=minimal",
    "application/json;odata.metadata=full",
];

/// A log: plain, or compressed with gzip, zstd or deflate.
pub(in crate::http) struct Log;

impl PartialSchema for Log {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    }
}

impl ToSchema for Log {}

/// The form of the token endpoints.
pub(in crate::http) struct TokenForm;

impl PartialSchema for TokenForm {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description)).build()
        };
        ObjectBuilder::new()
            .property("grant_type", GrantType::schema())
            .property("client_id", text("The application, where HTTP Basic does not name it."))
            .property("client_secret", text("Its secret, where HTTP Basic does not carry it."))
            .property("username", text("The user, where the grant is a password."))
            .property("password", text("Their password."))
            .property("resource", text("The audience; a user needs this or scope, an application gets the first one without them."))
            .property("scope", text("The audience followed by /.default, or by a permission of a user."))
            .required("grant_type")
            .into()
    }
}

impl ToSchema for TokenForm {}
