//! Load by `wrk` (HTTP/1.1) and `h2load` (HTTP/2), one thread each.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::rows::{Coding, Version};

/// Connections at a time.
const CONNECTIONS: &str = "32";
/// Streams at a time on each connection, HTTP/2.
const STREAMS: &str = "4";

#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub server: SocketAddr,
    pub file: &'static str,
    pub coding: Coding,
    pub version: Version,
    /// A new connection for each request.
    pub fresh: bool,
}

/// Requests that were answered with 2xx, and in how many seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answered {
    pub requests: f64,
    pub seconds: f64,
}

/// Asks for a file as fast as it is answered. Whatever else than 2xx comes fails it.
pub(crate) fn run(wanted: &Wanted, time: Duration) -> anyhow::Result<Answered> {
    let url = format!("https://{}/{}", wanted.server, wanted.file);
    let coding = format!("Accept-Encoding: {}", wanted.coding.name());
    let seconds = time.as_secs().to_string();
    let mut command = match wanted.version {
        Version::One => {
            let mut wrk = Command::new("wrk");
            wrk.args(["-t1", "-c", CONNECTIONS, "-d", &seconds, "-H", &coding]);
            if wanted.fresh {
                wrk.args(["-H", "Connection: close"]);
            }
            wrk
        }
        Version::Two => {
            let mut h2load = Command::new("h2load");
            h2load.args(["-t1", "-c", CONNECTIONS, "-m", STREAMS]);
            h2load.args(["-D", &seconds, "-H", &coding]);
            h2load
        }
    };
    let output = command
        .arg(url)
        .output()
        .context("Debian's wrk and nghttp2-client")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{text}");
    match wanted.version {
        Version::One => wrk(&text),
        Version::Two => h2load(&text),
    }
}

/// `  139046 requests in 2.00s, 90.17MB read`
fn wrk(text: &str) -> anyhow::Result<Answered> {
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx")) {
        bail!("{line}");
    }
    let line = text
        .lines()
        .find(|line| line.contains(" requests in "))
        .with_context(|| text.to_owned())?;
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(Answered {
        requests: words[0].parse()?,
        seconds: words[3].trim_end_matches(['s', ',']).parse()?,
    })
}

/// `finished in 2.00s, 60135.00 req/s, 29.43MB/s`, `status codes: 120270 2xx, 0 3xx, 0 4xx, 0 5xx`
fn h2load(text: &str) -> anyhow::Result<Answered> {
    let words = |prefix| {
        let line = text.lines().find_map(|line| line.strip_prefix(prefix));
        let words = line.map(|line| line.split([',', ' ']).collect::<Vec<_>>());
        words.with_context(|| text.to_owned())
    };
    let finished = words("finished in ")?;
    let codes = words("status codes: ")?;
    let others = ["3xx", "4xx", "5xx"].into_iter().any(|kind| {
        let at = codes.iter().position(|&word| word == kind);
        at.is_some_and(|at| codes[at - 1] != "0")
    });
    ensure!(!others, "other answers than 2xx:\n{text}");
    Ok(Answered {
        requests: codes[0].parse()?,
        seconds: finished[0].trim_end_matches('s').parse()?,
    })
}
