//! Who is in a call: a visitor's relay credentials live as long as its stay in a room.
//!
//! A visitor whose last WebSocket ended stays for a while, so that a page which comes back finds its relayed
//! connections alive; then they end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The visitors in rooms. Clones share them.
#[derive(Clone)]
pub(crate) struct Presence {
    table: Arc<Mutex<Table>>,
    changed: Arc<Notify>,
}

/// A visitor's stay in a room; its end begins the visitor's absence.
pub(crate) struct Stay {
    visitor: String,
    presence: Presence,
}

impl Presence {
    /// `grace` is how long somebody may be absent.
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            table: Arc::new(Mutex::new(Table::new(grace))),
            changed: Arc::default(),
        }
    }

    pub(crate) fn enter(&self, visitor: &str) -> Stay {
        self.with(|table| table.enter(visitor));
        Stay {
            visitor: visitor.to_owned(),
            presence: self.clone(),
        }
    }

    /// May a visitor relay? It may while it is here. One that is not may set out for a while, and counts as absent from
    /// then on, so that what it began ends if it does not come.
    pub(crate) fn admits(&self, visitor: &str, setting_out: Duration) -> bool {
        let now = Instant::now();
        let (admitted, before) = self.with(|table| {
            let before = table.next();
            (table.admits(visitor, setting_out, now), before)
        });
        if self.with(|table| table.next()) != before {
            self.changed.notify_one();
        }
        admitted
    }

    /// Calls `gone` for each visitor whose absence has lasted too long. Never ends.
    pub(crate) async fn watch(&self, gone: impl Fn(&str)) {
        loop {
            let (ended, next) = self.with(|table| (table.expire(Instant::now()), table.next()));
            for visitor in &ended {
                gone(visitor);
            }
            let deadline = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = deadline => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        f(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.presence
            .with(|table| table.leave(&self.visitor, Instant::now()));
        self.presence.changed.notify_one();
    }
}

/// Pure: time is an argument. As large as there are WebSockets in rooms, and those that ended within the grace.
#[derive(Default)]
struct Table {
    grace: Duration,
    visitors: HashMap<String, State>,
    absent: BTreeSet<(Instant, String)>,
}

enum State {
    /// With how many WebSockets.
    Here(usize),
    AbsentUntil(Instant),
}

impl Table {
    fn new(grace: Duration) -> Self {
        Self {
            grace,
            ..Self::default()
        }
    }

    fn enter(&mut self, visitor: &str) {
        let state = self.visitors.remove(visitor);
        let stays = match state {
            Some(State::Here(stays)) => stays,
            Some(State::AbsentUntil(end)) => {
                self.absent.remove(&(end, visitor.to_owned()));
                0
            }
            None => 0,
        };
        self.visitors
            .insert(visitor.to_owned(), State::Here(stays + 1));
    }

    fn leave(&mut self, visitor: &str, now: Instant) {
        let Some(state) = self.visitors.get_mut(visitor) else {
            return;
        };
        match state {
            State::Here(stays) if *stays > 1 => *stays -= 1,
            State::Here(_) => {
                let end = now + self.grace;
                *state = State::AbsentUntil(end);
                self.absent.insert((end, visitor.to_owned()));
            }
            State::AbsentUntil(_) => {}
        }
    }

    fn is_present(&self, visitor: &str, now: Instant) -> bool {
        match self.visitors.get(visitor) {
            Some(State::Here(_)) => true,
            Some(State::AbsentUntil(end)) => *end > now,
            None => false,
        }
    }

    fn admits(&mut self, visitor: &str, setting_out: Duration, now: Instant) -> bool {
        if self.is_present(visitor, now) {
            return true;
        }
        if setting_out.is_zero() || self.visitors.contains_key(visitor) {
            return false;
        }
        let end = now + setting_out;
        self.visitors
            .insert(visitor.to_owned(), State::AbsentUntil(end));
        self.absent.insert((end, visitor.to_owned()));
        true
    }

    /// Those whose absence has lasted too long.
    fn expire(&mut self, now: Instant) -> Vec<String> {
        let mut ended = Vec::new();
        while self.absent.first().is_some_and(|(end, _)| *end <= now) {
            ended.extend(self.absent.pop_first().map(|(_, visitor)| visitor));
        }
        for visitor in &ended {
            self.visitors.remove(visitor);
        }
        ended
    }

    fn next(&self) -> Option<Instant> {
        self.absent.first().map(|(end, _)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    #[test]
    fn a_visitor_is_present_until_its_absence_has_lasted() {
        let mut table = Table::new(GRACE);
        let start = Instant::now();
        assert!(!table.is_present("v", start));
        table.enter("v");
        assert_eq!(table.next(), None);
        table.leave("v", start);
        assert_eq!(table.next(), Some(start + GRACE));
        let nearly = start + Duration::from_secs(29);
        assert!(table.expire(nearly).is_empty() && table.is_present("v", nearly));
        assert!(!table.is_present("v", start + GRACE));
        assert_eq!(table.expire(start + GRACE), ["v"]);
        assert!(table.visitors.is_empty() && table.absent.is_empty());
    }

    #[test]
    fn who_sets_out_and_does_not_come_is_told_to_be_gone() {
        let mut table = Table::new(GRACE);
        let start = Instant::now();
        assert!(!table.admits("v", Duration::ZERO, start));
        assert!(table.visitors.is_empty(), "nothing is kept of strangers");
        assert!(table.admits("v", Duration::from_secs(40), start));
        assert!(
            table.admits("v", Duration::ZERO, start + GRACE),
            "on its way"
        );
        assert!(table.admits("w", Duration::from_secs(40), start));
        table.enter("w");
        assert_eq!(table.expire(start + Duration::from_secs(40)), ["v"]);
        assert!(table.is_present("w", start + Duration::from_secs(40)));
    }

    #[test]
    fn who_comes_back_in_time_was_never_gone() {
        let mut table = Table::new(GRACE);
        let start = Instant::now();
        table.enter("v");
        table.leave("v", start);
        table.enter("v");
        assert!(table.expire(start + 2 * GRACE).is_empty());
        assert!(table.is_present("v", start + 2 * GRACE));
    }

    #[test]
    fn a_second_connection_keeps_a_visitor_present() {
        let mut table = Table::new(GRACE);
        let start = Instant::now();
        table.enter("v");
        table.enter("v");
        table.leave("v", start);
        assert!(table.expire(start + 2 * GRACE).is_empty());
        assert!(table.is_present("v", start + 2 * GRACE));
        table.leave("v", start);
        assert_eq!(table.expire(start + GRACE), ["v"]);
        table.leave("v", start);
        assert!(table.visitors.is_empty());
    }

    #[tokio::test]
    async fn the_watch_tells_who_is_gone() {
        let presence = Presence::new(Duration::from_millis(5));
        let (sender, mut gone) = tokio::sync::mpsc::unbounded_channel();
        let watching = presence.clone();
        let watch = tokio::spawn(async move {
            watching
                .watch(|visitor| drop(sender.send(visitor.to_owned())))
                .await;
        });
        let stay = presence.enter("v");
        assert!(presence.admits("v", Duration::ZERO));
        drop(stay);
        let told = tokio::time::timeout(Duration::from_secs(5), gone.recv()).await;
        assert_eq!(told.unwrap().as_deref(), Some("v"));
        watch.abort();
    }
}
