//! What lies in the current folder is taken only where it is the user's own. Whoever else could write there, as in `/tmp`, would
//! have callbox do his will: root's callbox most of all.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Of a mode: others may write.
const OTHERS: u32 = 0o002;
const GROUP: u32 = 0o020;

/// Something that others have a hand in. Displayed as the part of a sentence that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Owner(u32),
    Writable,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path == Path::new(".") {
            "the current folder".to_owned()
        } else {
            self.path.display().to_string()
        };
        match self.why {
            Why::Owner(uid) => write!(f, "{path} belongs to another user, number {uid}"),
            Why::Writable => write!(f, "{path} can be written to by other users"),
        }
    }
}

/// The text of a file in a folder of the current one, or what about them is not the user's own.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Result<String, Foreign>> {
    // Where links lead, that folder counts as well.
    let real = path.canonicalize()?;
    let folders = [Path::new("."), folder(path), folder(&real)];
    if let Some(foreign) = foreign(&folders) {
        return Ok(Err(foreign));
    }
    let file = File::open(path)?;
    Ok(match judge(&file.metadata()?) {
        Some(why) => Err(Foreign {
            path: path.to_owned(),
            why,
        }),
        None => io::read_to_string(file).map(Ok)?,
    })
}

/// What others have a hand in, of what is there.
pub(super) fn foreign(paths: &[&Path]) -> Option<Foreign> {
    paths.iter().find_map(|path| {
        // What cannot be looked at cannot be read either.
        let why = judge(&fs::metadata(path).ok()?)?;
        Some(Foreign {
            path: (*path).to_owned(),
            why,
        })
    })
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn judge(found: &Metadata) -> Option<Why> {
    let (owner, mode) = (found.uid(), found.mode());
    if owner != 0 && owner != geteuid().as_raw() && Some(owner) != behind_sudo() {
        return Some(Why::Owner(owner));
    }
    let by_group = || {
        let list = |path| fs::read_to_string(path).unwrap_or_default();
        !is_of_one(
            &list("/etc/group"),
            &list("/etc/passwd"),
            found.gid(),
            owner,
        )
    };
    let writable = mode & OTHERS != 0 || mode & GROUP != 0 && by_group();
    writable.then_some(Why::Writable)
}

/// Who has become root by sudo, and means what is his own.
fn behind_sudo() -> Option<u32> {
    let user = std::env::var("SUDO_UID").ok()?;
    user.parse().ok().filter(|_| geteuid().is_root())
}

/// Is nobody but this user in the group? Many systems give each user a group of his own, and let it write.
fn is_of_one(groups: &str, users: &str, gid: u32, uid: u32) -> bool {
    let fields = |line: &str| -> Vec<String> { line.split(':').map(str::to_owned).collect() };
    let number = |fields: &[String], at: usize| fields.get(at)?.parse::<u32>().ok();
    let users: Vec<_> = users.lines().map(fields).collect();
    let is_own = |name: &str| {
        let named = |user: &&Vec<String>| user.first().is_some_and(|own| own == name);
        users
            .iter()
            .filter(named)
            .all(|user| number(user, 2) == Some(uid))
            && users.iter().any(|user| named(&user))
    };
    let mut primary = users.iter().filter(|user| number(user, 3) == Some(gid));
    let mut group = groups
        .lines()
        .map(fields)
        .filter(|group| number(group, 2) == Some(gid))
        .peekable();
    let is_known = group.peek().is_some();
    let members = group
        .filter_map(|group| group.get(3).cloned())
        .collect::<Vec<_>>()
        .join(",");
    let mut members = members
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    is_known && members.all(is_own) && primary.all(|user| number(user, 2) == Some(uid))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    const GROUPS: &str =
        "root:x:0:\nana:x:1000:\nteam:x:1001:ana,bo\nalone:x:1002:ana\nadm:x:4:syslog\n";
    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n\
                         bo:x:1001:1003::/home/bo:/bin/sh\ncy:x:1002:1003::/home/cy:/bin/sh\n";

    #[test]
    fn a_group_of_ones_own_is_nobody_else() {
        for (gid, uid, alone) in [
            (1000, 1000, true),
            (0, 0, true),
            (1002, 1000, true),
            (1001, 1000, false),
            (1003, 1001, false),
            (4, 1000, false),
            (1000, 1001, false),
            (77, 1000, false),
        ] {
            assert_eq!(is_of_one(GROUPS, USERS, gid, uid), alone, "{gid} {uid}");
        }
        assert!(!is_of_one("", "", 1000, 1000));
    }

    #[test]
    fn what_others_can_write_to_is_foreign() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, own) in [
            (0o700, true),
            (0o755, true),
            (0o777, false),
            (0o1777, false),
            (0o702, false),
        ] {
            fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(foreign(&[dir.path()]).is_none(), own, "{mode:o}");
        }
        assert_eq!(foreign(&[&dir.path().join("nothing")]), None);
    }

    #[test]
    fn where_a_link_leads_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (own, shared) = (dir.path().join("own"), dir.path().join("shared"));
        for folder in [&own, &shared] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(shared.join("there"), "text").unwrap();
        fs::set_permissions(&shared, PermissionsExt::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(shared.join("there"), own.join("file")).unwrap();
        let said = read(&own.join("file")).unwrap().unwrap_err().to_string();
        assert!(
            said.contains("shared can be written to by other users"),
            "{said}"
        );
        fs::set_permissions(&shared, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(read(&own.join("file")).unwrap().unwrap(), "text");
        // As root, who can give it away.
        if chown(shared.join("there"), Some(65_534), None).is_ok() {
            let said = read(&own.join("file")).unwrap().unwrap_err().to_string();
            assert!(
                said.contains("belongs to another user, number 65534"),
                "{said}"
            );
        }
    }
}
