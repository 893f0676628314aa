//! Logs, on standard error.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::Log;

/// Libraries that log a line for each bad packet or each broken rule of a stranger. Whoever names them gets to see it.
const QUIET: &str =
    "turn=off,webrtc_util=off,stun=off,h2=error,hyper=error,rustls=error,tungstenite=error";

/// Starts to log. Called once.
///
/// # Errors
/// When the filter is not valid, or logging was started already.
pub fn start(config: &Log) -> anyhow::Result<()> {
    let filter: Targets = format!("{QUIET},{}", config.level).parse()?;
    let layer = if config.json {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr)
            .boxed()
    } else {
        let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
        fmt::layer()
            .with_ansi(colours)
            .with_target(false)
            .with_writer(std::io::stderr)
            .boxed()
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init()?;
    Ok(())
}
