//! Values that formats have in common.

pub(crate) mod columns;
pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod networks;
pub(crate) mod paths;
pub(crate) mod positions;
pub(crate) mod scalar;
pub(crate) mod time;
