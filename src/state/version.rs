//! Which program a state directory is for: a number that grows when what is kept there changes its meaning.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, bail};

use super::{State, create};

pub(crate) const FILE: &str = "version";
/// Directories without the file are of the first one, too.
const OWN: u32 = 1;

/// May this program use what is in the directory?
///
/// # Errors
/// When a newer one has written it: a sentence with the remedy.
pub(super) fn check(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| {
                let path = path.display();
                format!("cannot read {path}; make it readable for the user callbox runs as")
            });
        }
    };
    let (path, dir) = (path.display(), dir.display());
    let found: u32 = text.trim().parse().ok().with_context(|| {
        format!(
            "{path} holds no number; write {OWN} into it, if no newer callbox has served from {dir}"
        )
    })?;
    if found > OWN {
        bail!(
            "{dir} was written by a newer callbox (its version is {found}, and {} knows {OWN}); install that one again, or move {dir} away to start with an empty one",
            env!("CARGO_PKG_VERSION")
        );
    }
    Ok(())
}

impl State {
    /// Writes the number down, if it is not there.
    pub(super) fn mark(&self) -> io::Result<()> {
        let path = self.path(FILE);
        if path.exists() {
            return Ok(());
        }
        create(&path, format!("{OWN}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_marked_once_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        assert!(!path.exists(), "who only looks leaves no mark");
        state.mark().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        State::open(dir.path()).unwrap();
        for (text, sentence) in [
            ("2\n", "was written by a newer callbox (its version is 2"),
            ("", "holds no number"),
        ] {
            fs::write(&path, text).unwrap();
            let error = State::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
            state.mark().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
