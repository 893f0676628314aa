//! What another one has taken the place of is kept beside it, since people have told their devices to trust it, and comes back
//! when it is the better one: a wrong clock, or other names, have put it aside.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Facts, Wanted};
use crate::clock::Reading;
use crate::state::{self, PRIVATE};

/// So many are kept.
const MOST: usize = 8;
/// After that people rely on what took its place.
const SETTLED: Duration = Duration::from_secs(7 * 86_400);
/// In the name of what was put aside for being from the future. If the clock was behind then, it comes back by itself.
const AHEAD: &str = ".ahead";

/// A certificate with its key.
pub(super) trait Kept: Sized {
    fn parse(pem: Vec<u8>) -> Option<Self>;

    /// Certificate and key.
    fn pem(&self) -> Vec<u8>;

    fn facts(&self) -> &Facts;

    /// Why another one has to take its place.
    fn why_replace(&self, wanted: &Wanted, clock: Reading) -> Option<String>;

    fn begin(&self) -> SystemTime {
        self.facts().not_before
    }
}

/// Where they lie: each under a name of its own, by its fingerprint.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    dir: PathBuf,
    prefix: &'static str,
}

struct Name {
    path: PathBuf,
    fingerprint: String,
    is_ahead: bool,
}

impl Shelf {
    pub(super) fn new(dir: &Path, prefix: &'static str) -> Self {
        Self {
            dir: dir.to_owned(),
            prefix,
        }
    }

    /// The youngest that should be in the place of `current`. One that has no fault is displaced only by what was put aside for
    /// being from the future, and is no longer.
    pub(super) fn better<K: Kept>(
        &self,
        current: &K,
        wanted: &Wanted,
        clock: Reading,
    ) -> Option<(PathBuf, K)> {
        let at_fault = current.why_replace(wanted, clock).is_some();
        if !at_fault && !clock.is_believed() {
            return None;
        }
        let mut names = self.names();
        let own = short(current.facts());
        names.retain(|name| name.fingerprint != own && (at_fault || name.is_ahead));
        let fitting = names.iter().filter_map(|name| {
            let kept = K::parse(fs::read(&name.path).ok()?)?;
            let fits = kept.why_replace(wanted, clock).is_none();
            fits.then(|| (name.path.clone(), kept))
        });
        fitting.max_by_key(|(_, kept)| kept.begin())
    }

    /// Where nothing is to be exchanged: after a while nothing comes back by itself, or what a clock that was ahead has made would
    /// once its time has come.
    pub(super) fn settle<K: Kept>(&self, current: &K, clock: Reading) {
        if !clock.is_believed() || clock.now < current.begin() + SETTLED {
            return;
        }
        for name in self.names().iter().filter(|name| name.is_ahead) {
            // Where it cannot be renamed, another time will do.
            let _ = fs::rename(&name.path, self.path(&name.fingerprint, false));
        }
    }

    /// Puts `old` aside and writes what takes its place, `back` if that lay here. At each moment both are on the disk. Where
    /// the old one lies now.
    pub(super) fn exchange<K: Kept>(
        &self,
        old: &K,
        back: Option<&Path>,
        (wanted, clock): (&Wanted, Reading),
        write: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        let is_ahead = clock.is_from_the_future(old.begin());
        let fingerprint = short(old.facts());
        let aside = self.path(&fingerprint, is_ahead);
        state::replace(&aside, &old.pem(), PRIVATE)?;
        write()?;
        // What cannot be removed does no harm.
        let _ = fs::remove_file(self.path(&fingerprint, !is_ahead));
        if let Some(back) = back {
            let _ = fs::remove_file(back);
        }
        self.bound::<K>(wanted, clock);
        Ok(aside)
    }

    /// The oldest of those that do not fit go first.
    fn bound<K: Kept>(&self, wanted: &Wanted, clock: Reading) {
        let read = |name: Name| Some((K::parse(fs::read(&name.path).ok()?)?, name.path));
        let mut kept: Vec<_> = self.names().into_iter().filter_map(read).collect();
        kept.sort_by_key(|(kept, _)| {
            let fits = kept.why_replace(wanted, clock).is_none();
            Reverse((fits, kept.begin()))
        });
        for (_, path) in kept.iter().skip(MOST) {
            let _ = fs::remove_file(path);
        }
    }

    /// What lies there.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.names().into_iter().map(|name| name.path)
    }

    fn names(&self) -> Vec<Name> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| self.name(entry.path()))
            .collect()
    }

    /// Whatever else lies there is somebody else's.
    fn name(&self, path: PathBuf) -> Option<Name> {
        let name = path.file_name()?.to_str()?;
        let middle = name.strip_prefix(self.prefix)?.strip_suffix(".pem")?;
        let fingerprint = middle.strip_suffix(AHEAD).unwrap_or(middle).to_owned();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_ours = fingerprint.len() == 16 && fingerprint.bytes().all(is_hex);
        let is_ahead = middle.ends_with(AHEAD);
        is_ours.then_some(Name {
            path,
            fingerprint,
            is_ahead,
        })
    }

    fn path(&self, fingerprint: &str, is_ahead: bool) -> PathBuf {
        let ahead = if is_ahead { AHEAD } else { "" };
        let prefix = self.prefix;
        self.dir.join(format!("{prefix}{fingerprint}{ahead}.pem"))
    }
}

/// Why its time makes another one take its place: it has not come, or less than `left` of it is left.
pub(super) fn why_untimely(facts: &Facts, left: Duration, clock: Reading) -> Option<String> {
    if clock.is_from_the_future(facts.not_before) {
        let begin = humantime::format_rfc3339_seconds(facts.not_before);
        return Some(format!("the old one was made by a wrong clock, at {begin}"));
    }
    let days = facts.days_left(clock.now);
    (facts.not_after < clock.now + left).then(|| format!("the old one has {days} days left"))
}

/// Enough of the fingerprint to tell one from another.
fn short(facts: &Facts) -> String {
    let hex = facts.fingerprint.chars().filter(|c| *c != ':');
    hex.take(16).collect::<String>().to_ascii_lowercase()
}
