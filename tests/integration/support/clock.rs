//! A clock that can be set, by libfaketime. Only what the program calls the time of day is changed, not how long it waits.

use std::path::{Path, PathBuf};

pub(crate) struct Clock {
    file: PathBuf,
}

impl Clock {
    /// As libfaketime understands it: `+0` is right, `+70d` is ahead, `@2019-01-01 00:00:00` is that day.
    pub(crate) fn new(dir: &Path, time: &str) -> Self {
        let clock = Self {
            file: dir.join("clock"),
        };
        clock.set(time);
        clock
    }

    pub(crate) fn set(&self, time: &str) {
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, format!("{time}\n")).unwrap();
        std::fs::rename(beside, &self.file).unwrap();
    }

    /// For a program that is to go by it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", library().to_str().unwrap().to_owned()),
            (
                "FAKETIME_TIMESTAMP_FILE",
                self.file.to_str().unwrap().to_owned(),
            ),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }
}

/// It lies in a folder of the machine's architecture.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap();
    folders
        .map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("libfaketime is installed")
}
