//! TCP ports for TURN alone: the classic ones, beside the main port that takes everything.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Front, Guest};

/// Out of file descriptors: others have to end first.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

impl Front {
    /// Accepts TURN clients, with and without TLS. Never ends.
    ///
    /// # Errors
    /// When the listener cannot be registered with the runtime.
    pub(crate) async fn serve_turn(self, listener: std::net::TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                continue;
            };
            let front = self.clone();
            tokio::spawn(async move {
                // Who speaks anything else here, or nothing in time, is let go without a word.
                if let Ok((Guest::Turn(raw, prefix), arrival)) = front.receive(stream).await {
                    let _ = front.hand_over(raw, prefix, arrival);
                }
            });
        }
    }
}
