//! SIGINT and SIGTERM become one signal; a second one ends the program at once. SIGHUP asks to look at files anew.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGINT or SIGTERM.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        };
        let name = next().await;
        tracing::info!("{name}: stopping");
        first.cancel();
        let name = next().await;
        tracing::warn!("{name} again: stopping at once");
        std::process::exit(1);
    });
    Ok(token)
}

/// Is notified at each SIGHUP.
///
/// # Errors
/// When the handler cannot be installed.
pub fn on_hangup() -> io::Result<Arc<Notify>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let notify = Arc::new(Notify::new());
    let notified = Arc::clone(&notify);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: looking at the certificate");
            notified.notify_one();
        }
    });
    Ok(notify)
}
