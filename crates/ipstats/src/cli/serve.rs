//! `ipstats serve`: the HTTP service, until it is told to stop.

use super::{ClockArgs, PlaceArgs};
use crate::clock::Clock;
use crate::config::Config;
use clap::Args;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Address and port to listen on [env: IPSTATS_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    clock: ClockArgs,
}

/// Runs the command.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("serve is not written yet ({:?})", (&args.place, args.listen, &args.clock))
}

/// Binds the address to listen on.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind(address)?)
}

/// Opens the store of `config` and serves it on `listener` until SIGTERM or SIGINT; `on_ready` is called once, when
/// requests are answered, with the URL of the service. Blocks; makes its own runtime. Installs no log subscriber.
pub fn serve(
    config: Config,
    clock: Clock,
    listener: TcpListener,
    on_ready: impl FnOnce(&str),
) -> anyhow::Result<ExitCode> {
    on_ready("");
    anyhow::bail!("serve is not written yet ({:?})", (config, clock, listener))
}
