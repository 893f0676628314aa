//! Two people who send each other messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::cpu::Spent;
use crate::dialect::{Dialect, Heard};
use crate::people::{Person, Socket};

/// How long the last messages may take.
const GRACE: Duration = Duration::from_millis(500);

/// What was heard in the time that was measured.
pub(crate) struct Talk {
    pub messages: usize,
    /// Microseconds from being sent to being heard.
    pub latencies: Vec<u32>,
    pub cpu: Duration,
    pub elapsed: Duration,
}

/// How two people send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many messages per second, both ways together.
    Rate(u32),
    /// As fast as they are heard, so many ahead each way.
    Ahead(usize),
}

/// `cpu` reads the server's. All messages that were sent in `time` have to arrive.
pub(crate) async fn talk(
    people: [Person; 2],
    dialect: Dialect,
    pace: Pace,
    time: Duration,
    cpu: impl Fn() -> Spent,
) -> anyhow::Result<Talk> {
    let begun = Instant::now();
    let [one, two] = people;
    let end = begun + time + time / 5;
    let ahead = match pace {
        Pace::Rate(_) => Semaphore::MAX_PERMITS / 2,
        Pace::Ahead(count) => count,
    };
    let [to_one, to_two] = [0; 2].map(|_| Arc::new(Semaphore::new(ahead)));
    let speaking = [
        (one.says, two.id, Arc::clone(&to_two)),
        (two.says, one.id, Arc::clone(&to_one)),
    ];
    let speaking = speaking
        .map(|(says, to, ahead)| tokio::spawn(speak(says, dialect, pace, to, ahead, begun, end)));
    let hearing = [(one.hears, to_one), (two.hears, to_two)];
    let hearing =
        hearing.map(|(hears, ahead)| tokio::spawn(hear(hears, dialect, ahead, begun, end)));
    sleep(time / 10).await;
    let (from, before) = (begun.elapsed(), cpu());
    sleep(time).await;
    let (to, after) = (begun.elapsed(), cpu());
    let mut sent = 0;
    for speaking in speaking {
        let (says, count) = speaking.await??;
        sent += count;
        drop(says);
    }
    let mut heard = Vec::with_capacity(sent);
    for hearing in hearing {
        heard.extend(hearing.await??);
    }
    ensure!(
        heard.len() == sent,
        "{sent} were sent, {} heard",
        heard.len()
    );
    let during = from.as_nanos() as u64..to.as_nanos() as u64;
    let latencies: Vec<u32> = heard
        .into_iter()
        .filter(|(sent, took)| during.contains(&(sent + took)))
        .map(|(_, took)| (took / 1000) as u32)
        .collect();
    ensure!(!latencies.is_empty(), "nothing was heard");
    Ok(Talk {
        messages: latencies.len(),
        latencies,
        cpu: after.since(&before),
        elapsed: to.saturating_sub(from),
    })
}

type Says = SplitSink<Socket, Message>;

/// Sends until the end; says how many.
async fn speak(
    mut says: Says,
    dialect: Dialect,
    pace: Pace,
    to: String,
    ahead: Arc<Semaphore>,
    begun: Instant,
    end: Instant,
) -> anyhow::Result<(Says, usize)> {
    let mut ticks = match pace {
        Pace::Rate(rate) => {
            let mut ticks = interval(2 * Duration::from_secs(1) / rate);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            Some(ticks)
        }
        Pace::Ahead(_) => None,
    };
    let mut count = 0;
    while Instant::now() < end {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        ahead.acquire().await?.forget();
        let text = dialect.message(&to, begun.elapsed().as_nanos() as u64);
        says.send(Message::text(text)).await?;
        count += 1;
    }
    Ok((says, count))
}

/// Hears until nothing comes after the end; says of each message when it was sent and how long it took, in nanoseconds.
async fn hear(
    mut hears: SplitStream<Socket>,
    dialect: Dialect,
    ahead: Arc<Semaphore>,
    begun: Instant,
    end: Instant,
) -> anyhow::Result<Vec<(u64, u64)>> {
    let mut heard = Vec::new();
    loop {
        let message = match timeout_at((end + GRACE).into(), hears.next()).await {
            Err(_) => return Ok(heard),
            Ok(message) => message.context("closed")??,
        };
        if let Message::Text(text) = message
            && let Heard::Message(sent) = dialect.hear(&text)
        {
            heard.push((sent, begun.elapsed().as_nanos() as u64 - sent));
            ahead.add_permits(1);
        }
    }
}
