//! `ipstats serve`: the HTTP service, until it is told to stop.

mod reload;
mod shutdown;
mod signals;
mod supervisor;

use self::reload::Reload;
use self::shutdown::{Progress, Step};
use self::signals::Signals;
use super::{ClockArgs, PlaceArgs, output};
use crate::auth::SigningKey;
use crate::clock::Clock;
use crate::config::{Config, FirstStart, Flags, Scheme};
use crate::http::{self, App, Identity, OperatorSocket, Shutdown, Tls};
use crate::sources::Sources;
use crate::store::{Store, check_clock};
use crate::telemetry;
use anyhow::{Context, ensure};
use clap::Args;
use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How often the certificate is looked at.
const EXPIRY_CHECKED_EVERY: Duration = Duration::from_hours(24);

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Address and port to listen on [env: IPSTATS_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Listen on any address without TLS: tokens and answers travel unencrypted
    #[arg(long)]
    insecure_listen: bool,
    #[command(flatten)]
    clock: ClockArgs,
    /// Go on although a damaged disk lost records that were acknowledged (import the logs of that time again)
    #[arg(long)]
    accept_lost_batches: bool,
}

/// Runs the command.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let (accept_lost_batches, insecure_listen) = (args.accept_lost_batches, args.insecure_listen);
    let flags = Flags { listen: args.listen, insecure_listen, accept_lost_batches, ..args.place.flags() };
    let mut config = Config::load(&flags)?;
    telemetry::init(&config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    check_listen(&config)?;
    let listener = bind(config.listen)?;
    if let Some(first_start) = config.establish()? {
        announce(&first_start);
    }
    let scheme = config.scheme();
    serve_rereading(&config, Some(&flags), args.clock.clock(), listener, |listening, url| {
        // Nobody has to read it: a closed standard output does not stop the service.
        let _ = output::result(ready(scheme, listening, url));
    })
}

/// Who can reach the service from elsewhere, and who sits between, must not read tokens.
fn check_listen(config: &Config) -> anyhow::Result<()> {
    let listen = config.listen;
    if listen.ip().is_loopback() || config.tls.is_some() {
        return Ok(());
    }
    ensure!(
        config.insecure_listen,
        "not listening on {listen} without TLS: tokens and answers would travel unencrypted. Give a certificate and its \
         key in [tls], or listen on 127.0.0.1 behind a proxy, or say --insecure-listen where the network is trusted"
    );
    tracing::warn!(%listen, "tokens and answers travel unencrypted to whoever is not on this machine");
    Ok(())
}

/// Binds the address to listen on.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address} (choose another address with --listen)"))
}

/// Binds the address to serve metrics on.
fn bind_metrics(address: SocketAddr) -> anyhow::Result<TcpListener> {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "metrics are served to whoever reaches this address, without a token");
    }
    TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address} (choose another address for metrics_listen, or leave it out)")
    })
}

fn from_std(listener: TcpListener) -> anyhow::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true).context("the listening socket cannot be used")?;
    tokio::net::TcpListener::from_std(listener).context("the listening socket cannot be used")
}

/// Where the service listens, and the URL that clients know where that is another one.
fn ready(scheme: Scheme, listening: SocketAddr, url: &str) -> String {
    let bound = format!("{}://{listening}", scheme.name());
    if url == bound {
        format!("listening on {bound}")
    } else {
        format!("listening on {bound}, public URL {url}")
    }
}

/// Opens the store of `config` and serves it on `listener` until SIGTERM or SIGINT; `on_ready` is called once, when
/// requests are answered, with the address listened on and the URL of the service. Blocks, and makes its own runtime.
pub fn serve(
    config: &Config,
    clock: Clock,
    listener: TcpListener,
    on_ready: impl FnOnce(SocketAddr, &str),
) -> anyhow::Result<ExitCode> {
    serve_rereading(config, None, clock, listener, on_ready)
}

/// As [`serve`]; where `flags` are given, SIGHUP reads the configuration with them again.
fn serve_rereading(
    config: &Config,
    flags: Option<&Flags>,
    clock: Clock,
    listener: TcpListener,
    on_ready: impl FnOnce(SocketAddr, &str),
) -> anyhow::Result<ExitCode> {
    let identity = config.tls.as_ref().map(Identity::load).transpose()?;
    let tls = identity.map(Tls::new);
    let key = SigningKey::find(config.signing_key_file.as_deref(), &config.data_dir)?;
    let store = Arc::new(Store::open(config, &clock)?);
    look_at_clock(&store, &clock);
    let maintained = (Arc::clone(&store), clock.clone());
    let sources = RefCell::new(Sources::new(Arc::clone(&store), clock.clone()));
    let listening = listener.local_addr().context("the address listened on is unknown")?;
    let app = Arc::new(App::new(config, &key, store, listening, clock, Clock::System)?);
    let metrics = config.metrics_listen.map(bind_metrics).transpose()?;
    let runtime = tokio::runtime::Runtime::new().context("no threads can be started")?;
    runtime.block_on(async {
        let mut signals = Signals::install().context("signals cannot be handled")?;
        let listener = from_std(listener)?;
        let (shutdown, stop) = Shutdown::new();
        let operator = http::operator_router(&app, sources.borrow().board());
        match OperatorSocket::bind(&config.operator_socket()) {
            Ok(socket) => drop(tokio::spawn(socket.serve(operator.clone(), stop.clone()))),
            Err(error) => tracing::warn!("{error}"),
        }
        if let Some(listener) = metrics {
            let listener = from_std(listener)?;
            tracing::info!(listening = %listener.local_addr()?, "metrics are served");
            tokio::spawn(http::serve(listener, operator, None, stop.clone()));
        }
        let server = tokio::spawn(http::serve(listener, http::router(Arc::clone(&app)), tls.clone(), stop));
        tls.iter().for_each(warn_of_expiry);
        let expiry = tokio::spawn(watch_expiry(tls.clone()));
        let wanted = sources.borrow().prepare(&config.sources)?;
        sources.borrow_mut().change(wanted);
        let maintenance = tokio::spawn({
            let (store, clock) = maintained;
            async move { store.maintain(clock).await }
        });
        let keys = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.keep_keys_fresh().await }
        });
        app.reach_quotas().await;
        let quotas = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.keep_quotas().await }
        });
        on_ready(listening, &app.base_url());
        let reload = Reload { app: &app, tls: tls.as_ref(), sources: &sources, flags, started: config };
        supervisor::ready();
        signals.wait(|| supervisor::reloading(|| reload.run())).await;
        supervisor::stopping();
        keys.abort();
        quotas.abort();
        maintenance.abort();
        expiry.abort();
        let progress = Arc::new(Progress::default());
        tokio::spawn(signals.end_at_next(Arc::clone(&app), Arc::clone(&progress)));
        tracing::info!("stopping: finishing requests and sources (a second signal stops at once)");
        app.begin_closing();
        shutdown.begin();
        sources.borrow_mut().stop();
        progress.set(Step::Requests);
        server.await.context("the server ended early")?;
        progress.set(Step::Store);
        app.close().await.context("the store was not closed properly")?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Says when the clock cannot be right. A store that is away may come back.
fn look_at_clock(store: &Store, clock: &Clock) {
    match store.newest_event_here() {
        Ok(newest) => {
            if let Err(behind) = check_clock(clock, newest) {
                tracing::error!("{behind}");
            }
        }
        Err(error) => tracing::warn!("the store cannot be asked for its newest record yet: {error}"),
    }
}

/// Looks at the certificate now and every day.
async fn watch_expiry(tls: Option<Tls>) {
    let Some(tls) = tls else { return };
    loop {
        tokio::time::sleep(EXPIRY_CHECKED_EVERY).await;
        warn_of_expiry(&tls);
    }
}

fn warn_of_expiry(tls: &Tls) {
    if let Some(warning) = tls.warning(Clock::System.now()) {
        tracing::warn!("{warning}");
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
