//! `ipstats import`: log files into the data folder, or to a service.
//!
//! Results go to standard output, everything said about them to standard error. The exit code is 1 when a log could
//! not be read to its end, or when the import was interrupted; malformed records alone do not fail it.

mod account;
mod bar;
mod local;
mod notes;
mod remote;

use super::StoreArgs;
use super::server_args::{SERVER_HEADING, ServerArgs};
use crate::config::Network;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use ipstats_formats::{FieldMap, FormatChoice, InvalidFieldMap, NotDevice};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Log files, `-` for standard input; gzip and zstd are recognized by content
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the logs
    #[arg(long, value_name = "FORMAT", default_value_t = FormatChoice::Auto, value_parser = formats())]
    format: FormatChoice,
    #[command(flatten)]
    store: StoreArgs,
    /// Network that counts as internal, instead of the private ones; may be repeated
    #[arg(long, value_name = "CIDR", conflicts_with = "remote")]
    internal_network: Vec<Network>,
    /// The originator is always a device of the organization: the sensor sees only its own network
    #[arg(long, conflicts_with = "remote")]
    originator_is_device: bool,
    /// Address, network, interface id or name of a relay (NAT gateway, proxy, load balancer), which is not a device; may be
    /// repeated
    #[arg(long, value_name = "RELAY", conflicts_with = "remote")]
    not_device: Vec<NotDevice>,
    /// Site of the sensor: devices known by their IP are told apart by it
    #[arg(long, value_name = "NAME", conflicts_with = "remote")]
    site: Option<String>,
    /// Zeek's dhcp.log, which tells which device had which address when; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "remote")]
    aliases: Vec<PathBuf>,
    /// How devices are named that --aliases knows
    #[arg(long, value_enum, default_value_t = Alias::Mac, requires = "aliases", conflicts_with = "remote")]
    alias_by: Alias,
    /// What counts as a connection
    #[arg(long, value_enum, default_value_t = Count::Opened, conflicts_with = "remote")]
    count: Count,
    /// Columns of Zeek rows without a #fields line, all of them in their order
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "remote")]
    columns: Vec<String>,
    /// Which fields of CSV or JSON of no known format to read, for example device=src_ip,ip=dest_ip,time=timestamp
    #[arg(long, value_name = "TARGET=FIELD,…", value_parser = field_map, conflicts_with_all = ["remote", "columns"])]
    map: Option<Arc<FieldMap>>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
    /// File with the ingest key, which says whose log it is and how it is read [env: IPSTATS_INGEST_KEY]
    #[arg(long, value_name = "FILE", requires = "remote", help_heading = SERVER_HEADING)]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Count {
    /// Connections that were established
    Opened,
    /// Failed and half-open attempts as well
    Attempted,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Alias {
    /// By their hardware address
    Mac,
    /// By the host name they told the DHCP server, else by their hardware address
    HostName,
}

/// Runs the command.
pub(super) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    if args.server.is_asked() { remote::run(args) } else { local::run(args) }
}

fn field_map(text: &str) -> Result<Arc<FieldMap>, InvalidFieldMap> {
    text.parse().map(Arc::new)
}

fn formats() -> impl TypedValueParser<Value = FormatChoice> {
    PossibleValuesParser::new(FormatChoice::names()).try_map(|name| name.parse::<FormatChoice>())
}
