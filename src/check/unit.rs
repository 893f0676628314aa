//! Is the systemd unit in effect? Pure.

use std::path::PathBuf;

use super::report::Row;

const NAME: &str = "systemd unit";
/// Asked of `systemctl show`.
pub(super) const PROPERTIES: &str = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath,MainPID,WorkingDirectory,StateDirectory";

/// What systemd has of `callbox.service`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    load: String,
    active: String,
    enabled: String,
    needs_reload: bool,
    file: String,
    /// Of the server, while it runs.
    pub pid: Option<u32>,
    /// What relative paths of its configuration begin at.
    pub folder: Option<PathBuf>,
    /// What `$STATE_DIRECTORY` is to it.
    pub state: Option<PathBuf>,
}

impl Unit {
    /// From the output of `systemctl show`: lines of `Key=value`.
    pub(super) fn parse(shown: &str) -> Self {
        let mut unit = Self::default();
        for (key, value) in shown.lines().filter_map(|line| line.split_once('=')) {
            let text = value.trim().to_owned();
            match key {
                "LoadState" => unit.load = text,
                "ActiveState" => unit.active = text,
                "UnitFileState" => unit.enabled = text,
                "NeedDaemonReload" => unit.needs_reload = text == "yes",
                "FragmentPath" => unit.file = text,
                "MainPID" => unit.pid = text.parse().ok().filter(|pid| *pid != 0),
                "WorkingDirectory" => {
                    unit.folder = Some(PathBuf::from(text.trim_start_matches('!')))
                        .filter(|path| path.is_absolute());
                }
                "StateDirectory" => {
                    let first = text.split_whitespace().next();
                    unit.state = first.map(|name| PathBuf::from("/var/lib").join(name));
                }
                _ => {}
            }
        }
        unit
    }

    pub(super) fn is_active(&self) -> bool {
        self.load == "loaded" && self.active == "active"
    }

    pub(super) fn is_installed(&self) -> bool {
        self.load == "loaded"
    }
}

/// `None` where there is no systemd.
pub(super) fn row(unit: Option<&Unit>) -> Row {
    let Some(unit) = unit else {
        return Row::skipped(NAME, "systemd does not run here");
    };
    let Unit {
        load,
        active,
        enabled,
        file,
        ..
    } = unit;
    match (load.as_str(), active.as_str()) {
        ("not-found" | "", _) => Row::skipped(
            NAME,
            "callbox.service is not installed, so callbox does not start with the machine: deploy/callbox.service",
        ),
        ("loaded", _) if unit.needs_reload => Row::warning(
            NAME,
            format!("{file} was changed after systemd had read it"),
            "`sudo systemctl daemon-reload && sudo systemctl restart callbox`",
        ),
        ("loaded", "failed") => Row::failed(
            NAME,
            "callbox.service has failed",
            "`journalctl -u callbox` says why; then `sudo systemctl restart callbox`",
        ),
        ("loaded", "activating") => Row::warning(
            NAME,
            "callbox.service is starting, or does not come up and is started again and again",
            "if that lasts, `journalctl -u callbox` says why",
        ),
        ("loaded", "active") if enabled == "disabled" => Row::warning(
            NAME,
            "callbox.service runs, and does not start with the machine",
            "`sudo systemctl enable callbox`",
        ),
        ("loaded", "active") => Row::ok(NAME, format!("{file} is in effect")),
        ("loaded", _) => Row::warning(
            NAME,
            format!("callbox.service is {active}"),
            "`sudo systemctl enable --now callbox`",
        ),
        _ => Row::failed(
            NAME,
            format!("systemd cannot use {file} ({load})"),
            "`systemd-analyze verify callbox.service` names the mistake",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    const SHOWN: &str = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n\
                         FragmentPath=/etc/systemd/system/callbox.service\nMainPID=4711\n\
                         WorkingDirectory=/var/lib/callbox\nStateDirectory=callbox\n";

    fn judged(change: (&str, &str)) -> Row {
        row(Some(&Unit::parse(&SHOWN.replace(change.0, change.1))))
    }

    #[test]
    fn a_unit_in_effect_tells_where_the_server_lives() {
        let unit = Unit::parse(SHOWN);
        assert!(unit.is_active() && unit.is_installed());
        assert_eq!(unit.pid, Some(4711));
        assert_eq!(unit.folder.as_deref(), Some("/var/lib/callbox".as_ref()));
        assert_eq!(unit.state.as_deref(), Some("/var/lib/callbox".as_ref()));
        let row = row(Some(&unit));
        assert_eq!(
            (row.status, row.found.as_str()),
            (
                Status::Ok,
                "/etc/systemd/system/callbox.service is in effect"
            )
        );
    }

    #[test]
    fn each_state_has_its_remedy() {
        for (change, status, part) in [
            (
                ("NeedDaemonReload=no", "NeedDaemonReload=yes"),
                Status::Warning,
                "daemon-reload",
            ),
            (
                ("=active", "=failed"),
                Status::Failed,
                "journalctl -u callbox",
            ),
            (
                ("=active", "=activating"),
                Status::Warning,
                "journalctl -u callbox",
            ),
            (
                ("=active", "=inactive"),
                Status::Warning,
                "enable --now callbox",
            ),
            (
                ("=enabled", "=disabled"),
                Status::Warning,
                "systemctl enable callbox",
            ),
            (
                ("=loaded", "=bad-setting"),
                Status::Failed,
                "systemd-analyze verify",
            ),
        ] {
            let row = judged(change);
            assert_eq!(row.status, status, "{part}");
            assert!(row.remedy.unwrap().contains(part), "{part}");
        }
        assert_eq!(judged(("=loaded", "=not-found")).status, Status::Skipped);
        assert_eq!(row(None).status, Status::Skipped);
        let nothing = Unit::parse("MainPID=0\nWorkingDirectory=\nStateDirectory=\ngarbage\n");
        assert_eq!(nothing, Unit::default());
    }
}
