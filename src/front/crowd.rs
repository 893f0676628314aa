//! The connections that are open, within bounds. Where there is no room for another one, the one that has been of no use for
//! the longest time goes, not the one that comes: else whoever opens connections and says nothing would keep all others out.

use std::future::poll_fn;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use slab::Slab;

use crate::config;
use crate::limits::{AddressKey, Bounds, Full, Network, Tally};
use crate::turn::Place;

/// A connection that has just come, or has just been of use, does not have to go.
const GRACE: Duration = Duration::from_secs(2);
/// A page has a connection or two for itself, one for its WebSocket, and may relay over another.
const FEW: usize = 4;
/// Answers that are not complete, as a multiple of connections.
const ANSWERS: usize = 4;
/// In place of a time.
const IN_USE: u64 = u64::MAX;

/// All connections of this server. Clones share them.
#[derive(Clone)]
pub(super) struct Crowd {
    table: Arc<Mutex<Table>>,
    /// Times are counted from here.
    start: Instant,
}

/// A connection's place in the crowd; dropping it gives it back.
pub(crate) struct Spot {
    crowd: Crowd,
    id: usize,
    life: Arc<Life>,
}

/// What a connection is worth, and whether it has to go.
struct Life {
    start: Instant,
    /// Milliseconds after `start` when it was of use last; [`IN_USE`] while it carries a call.
    used_at: AtomicU64,
    evicted: AtomicBool,
    waker: AtomicWaker,
    /// Where something else than this part of the program waits for it.
    socket: OnceLock<Weak<TcpStream>>,
}

/// Tells that a connection is of use.
#[derive(Clone)]
pub(crate) struct Worth(Arc<Life>);

/// A call over a connection; dropping it ends the use.
pub(crate) struct InUse(Worth);

#[derive(Debug)]
struct Table {
    connections: Tally,
    answers: Tally,
    entries: Slab<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// `None` for a proxy's own, which are counted in total only.
    key: Option<AddressKey>,
    life: Arc<Life>,
    answers: usize,
}

impl Crowd {
    pub(super) fn new(config: &config::Server) -> Self {
        let (total, each) = (config.max_connections, config.max_connections_per_ip);
        let answers = |connections: usize| connections.saturating_mul(ANSWERS);
        let table = Table {
            connections: Tally::new(Bounds::new(total, each).with_few(FEW)),
            answers: Tally::new(Bounds::new(answers(total), answers(each))),
            entries: Slab::new(),
        };
        Self {
            table: Arc::new(Mutex::new(table)),
            start: Instant::now(),
        }
    }

    /// A place for a connection from `ip`, or of a proxy for whom it will tell.
    ///
    /// # Errors
    /// The bound that is reached, where nobody has to go.
    pub(super) fn admit(&self, ip: impl Into<Option<IpAddr>>) -> Result<Spot, Full> {
        let key = ip.into().map(AddressKey::from);
        let life = Arc::new(Life {
            start: self.start,
            used_at: AtomicU64::new(self.now()),
            evicted: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            socket: OnceLock::new(),
        });
        let mut table = self.table();
        table.make_room(key, self.latest())?;
        table.connections.add(key, 1);
        let id = table.entries.insert(Entry {
            key,
            life: Arc::clone(&life),
            answers: 0,
        });
        let crowd = self.clone();
        Ok(Spot { crowd, id, life })
    }

    /// Milliseconds.
    fn now(&self) -> u64 {
        since(self.start)
    }

    /// Whoever was of use later does not have to go.
    fn latest(&self) -> u64 {
        let grace = u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX);
        self.now().saturating_sub(grace)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(IN_USE - 1)
}

impl Table {
    /// Sees to it that there is room for another connection of `key`.
    fn make_room(&mut self, key: Option<AddressKey>, latest: u64) -> Result<(), Full> {
        self.make_room_for(None, key, latest)
    }

    /// The same for one that is here already, and stays.
    fn make_room_for(
        &mut self,
        own: Option<usize>,
        key: Option<AddressKey>,
        latest: u64,
    ) -> Result<(), Full> {
        let Err(full) = self.connections.room(key) else {
            return Ok(());
        };
        let within = full.network();
        let useless = self.most_useless(latest, |id, entry| Some(id) != own && entry.is_in(within));
        let id = useless.ok_or(full)?;
        self.evict(id);
        Ok(())
    }

    /// Who was of use before `latest`, and of those the one whose use is the longest ago.
    fn most_useless(&self, latest: u64, suits: impl Fn(usize, &Entry) -> bool) -> Option<usize> {
        let candidates = self.entries.iter().filter(|(id, entry)| suits(*id, entry));
        candidates
            .map(|(id, entry)| (entry.life.used_at.load(Ordering::Relaxed), id))
            .filter(|(used_at, _)| *used_at <= latest)
            .min()
            .map(|(_, id)| id)
    }

    fn evict(&mut self, id: usize) {
        if let Some(life) = self.forget(id) {
            metrics::counter!("callbox_connections_evicted_total").increment(1);
            life.evict();
        }
    }

    fn forget(&mut self, id: usize) -> Option<Arc<Life>> {
        let entry = self.entries.try_remove(id)?;
        self.connections.remove(entry.key, 1);
        self.answers.remove(entry.key, entry.answers);
        Some(entry.life)
    }
}

impl Entry {
    fn is_in(&self, network: Option<Network>) -> bool {
        network.is_none_or(|network| self.key.is_some_and(|key| key.is_in(network)))
    }
}

impl Life {
    fn evict(&self) {
        self.evicted.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(socket) = self.socket.get().and_then(Weak::upgrade) {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Spot {
    /// A proxy has told whom this connection is for.
    ///
    /// # Errors
    /// As [`Crowd::admit`].
    pub(crate) fn is_for(&self, ip: IpAddr) -> Result<(), Full> {
        let key = Some(AddressKey::from(ip));
        let mut table = self.crowd.table();
        let before = match table.entries.get(self.id) {
            Some(entry) if entry.is(self) => entry.key,
            // It had to go.
            _ => return Ok(()),
        };
        // It does not take room from itself, nor makes way for itself.
        table.connections.remove(before, 1);
        let room = table.make_room_for(Some(self.id), key, self.crowd.latest());
        let key = if room.is_ok() { key } else { before };
        table.connections.add(key, 1);
        table.entries[self.id].key = key;
        room
    }

    /// So many of its answers are not complete. Where its address has more of those than it may, the connection goes whose
    /// last use is the longest ago, and be it this one.
    pub(crate) fn set_answers(&self, count: usize) {
        let mut table = self.crowd.table();
        let Some(entry) = table
            .entries
            .get_mut(self.id)
            .filter(|entry| entry.is(self))
        else {
            return;
        };
        let before = std::mem::replace(&mut entry.answers, 0);
        let key = entry.key;
        table.answers.remove(key, before);
        while let Err(full) = table.answers.room(key) {
            let within = full.network();
            let waits =
                |_, entry: &Entry| (entry.answers > 0 || entry.is(self)) && entry.is_in(within);
            let Some(id) = table.most_useless(IN_USE, waits) else {
                break;
            };
            table.evict(id);
        }
        if let Some(entry) = table
            .entries
            .get_mut(self.id)
            .filter(|entry| entry.is(self))
        {
            entry.answers = count;
            table.answers.add(key, count);
        }
    }

    pub(crate) fn worth(&self) -> Worth {
        Worth(Arc::clone(&self.life))
    }

    /// Somebody else waits for this socket from now on.
    pub(crate) fn is_on(&self, socket: &Arc<TcpStream>) {
        let _ = self.life.socket.set(Arc::downgrade(socket));
        if self.life.evicted.load(Ordering::Acquire) {
            self.life.evict();
        }
    }
}

impl Entry {
    /// Ids are used again.
    fn is(&self, spot: &Spot) -> bool {
        Arc::ptr_eq(&self.life, &spot.life)
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        let mut table = self.crowd.table();
        if table
            .entries
            .get(self.id)
            .is_some_and(|entry| entry.is(self))
        {
            table.forget(self.id);
        }
    }
}

impl Place for Spot {
    fn is_used(&self, used: bool) {
        if used {
            self.worth().hold();
        } else if self.worth().is_in_use() {
            self.worth().release();
        }
    }
}

impl Worth {
    /// Tells whether the connection has to go; if not, the task is woken when it has.
    pub(crate) fn poll_evicted(&self, cx: &Context<'_>) -> Poll<()> {
        let evicted = || self.0.evicted.load(Ordering::Acquire);
        if evicted() {
            return Poll::Ready(());
        }
        self.0.waker.register(cx.waker());
        if evicted() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ends when the connection has to go.
    pub(crate) async fn evicted(&self) {
        poll_fn(|cx| self.poll_evicted(cx)).await;
    }

    /// Does it carry a call?
    pub(crate) fn is_in_use(&self) -> bool {
        self.0.used_at.load(Ordering::Relaxed) == IN_USE
    }

    /// A whole request has come.
    pub(crate) fn used(&self) {
        if self.0.used_at.load(Ordering::Relaxed) != IN_USE {
            self.release();
        }
    }

    /// It carries a call for as long as this is held.
    pub(crate) fn in_use(&self) -> InUse {
        self.hold();
        InUse(self.clone())
    }

    fn hold(&self) {
        self.0.used_at.store(IN_USE, Ordering::Relaxed);
    }

    fn release(&self) {
        let now = since(self.0.start);
        self.0.used_at.store(now, Ordering::Relaxed);
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Life")
            .field("used_at", &self.used_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests;
