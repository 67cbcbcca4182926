//! `ipstats serve`: the HTTP service, until it is told to stop.

use super::{ClockArgs, PlaceArgs, output};
use crate::auth::SigningKey;
use crate::clock::Clock;
use crate::config::{Config, FirstStart, Flags};
use crate::http::{self, App, Shutdown};
use crate::store::{Store, check_clock, open_engine};
use crate::telemetry;
use anyhow::Context;
use clap::Args;
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    /// Go on although a damaged disk lost records that were acknowledged (import the logs of that time again)
    #[arg(long)]
    accept_lost_batches: bool,
}

/// Runs the command.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let accept_lost_batches = args.accept_lost_batches;
    let flags = Flags { listen: args.listen, accept_lost_batches, ..args.place.flags() };
    let mut config = Config::load(&flags)?;
    telemetry::init(&config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if !config.listen.ip().is_loopback() {
        tracing::warn!(listen = %config.listen, "tokens and answers travel unencrypted: put a TLS proxy in front");
    }
    let listener = bind(config.listen)?;
    if let Some(first_start) = config.establish()? {
        announce(&first_start);
    }
    serve_rereading(config, Some(&flags), args.clock.clock(), listener, |listening, url| {
        // Nobody has to read it: a closed standard output does not stop the service.
        let _ = output::result(ready(listening, url));
    })
}

/// Binds the address to listen on.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address} (choose another address with --listen)"))
}

/// Where the service listens, and the URL that clients know where that is another one.
fn ready(listening: SocketAddr, url: &str) -> String {
    let bound = format!("http://{listening}");
    if url == bound {
        format!("listening on {bound}")
    } else {
        format!("listening on {bound}, public URL {url}")
    }
}

/// Opens the store of `config` and serves it on `listener` until SIGTERM or SIGINT; `on_ready` is called once, when
/// requests are answered, with the address listened on and the URL of the service. Blocks, and makes its own runtime.
pub fn serve(
    config: Config,
    clock: Clock,
    listener: TcpListener,
    on_ready: impl FnOnce(SocketAddr, &str),
) -> anyhow::Result<ExitCode> {
    serve_rereading(config, None, clock, listener, on_ready)
}

/// As [`serve`]; where `flags` are given, SIGHUP reads the configuration with them again.
fn serve_rereading(
    config: Config,
    flags: Option<&Flags>,
    clock: Clock,
    listener: TcpListener,
    on_ready: impl FnOnce(SocketAddr, &str),
) -> anyhow::Result<ExitCode> {
    let key = SigningKey::load_or_create(&config.data_dir)?;
    let engine = open_engine(&config, &clock)?;
    if let Err(behind) = check_clock(&clock, engine.newest_event()) {
        tracing::error!("{behind}");
    }
    let store = Store::new(engine);
    let listening = listener.local_addr().context("the address listened on is unknown")?;
    let app = Arc::new(App::new(&config, key, store, listening, clock, Clock::System)?);
    drop(config);
    let runtime = tokio::runtime::Runtime::new().context("no threads can be started")?;
    runtime.block_on(async {
        let signals = Signals::install().context("signals cannot be handled")?;
        listener.set_nonblocking(true).context("the listening socket cannot be used")?;
        let listener =
            tokio::net::TcpListener::from_std(listener).context("the listening socket cannot be used")?;
        let (shutdown, stop) = Shutdown::new();
        let server = tokio::spawn(http::serve(listener, http::router(Arc::clone(&app)), stop));
        on_ready(listening, &app.base_url());
        signals.wait(|| reload(&app, flags)).await;
        tracing::info!("stopping: finishing what was begun");
        app.begin_closing();
        shutdown.begin();
        server.await.context("the server ended early")?;
        app.close().await.context("the store was not closed properly")?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Goes on with the configuration as it is now, if it is usable.
fn reload(app: &App, flags: Option<&Flags>) {
    let Some(flags) = flags else { return };
    match Config::load(flags) {
        Ok(config) => {
            app.reload(&config);
            tracing::info!("the configuration was read again");
        }
        Err(error) => tracing::error!("the configuration stays as it was: {error}"),
    }
}

/// Shows what the first start made: all of it to a person, the log only gets to know where the secret is.
fn announce(first_start: &FirstStart) {
    if io::stderr().is_terminal() {
        output::note(first_start);
    } else {
        tracing::warn!(
            organization = %first_start.organization,
            client_id = %first_start.client_id,
            "{}", first_start.without_secret()
        );
    }
}

/// The signals that a service obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT; SIGHUP calls `reload`.
    async fn wait(mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}
