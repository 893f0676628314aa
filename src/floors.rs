//! The floors of the house: each module imports from those below it only. ARCHITECTURE.md has the drawing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each top module with those that it may import, all of which stand above it in this list.
const FLOORS: &[(&str, &str)] = &[
    ("words", ""),
    ("clock", ""),
    ("limits", ""),
    ("presence", ""),
    ("refused", ""),
    ("sealed", ""),
    ("shutdown", ""),
    ("net", "words"),
    ("state", "words"),
    ("turn", "limits net presence refused words"),
    ("config", "turn words"),
    ("telemetry", "config"),
    ("listen", "config net turn"),
    ("tls", "clock config net state words"),
    ("ice", "tls turn words"),
    ("access", "config limits refused sealed state words"),
    ("front", "config limits net refused tls turn"),
    (
        "signaling",
        "access config ice limits presence refused sealed words",
    ),
    (
        "web",
        "access config front ice limits refused signaling tls turn words",
    ),
    ("admin", "front refused signaling tls turn words"),
    ("check", "access config listen net state tls turn words"),
    ("cli", "access check config net state tls turn words"),
    (
        "app",
        "access admin check cli clock config front ice limits listen net presence shutdown signaling state tls turn web",
    ),
    ("fuzzing", "front"),
    ("floors", ""),
];

#[test]
fn imports_run_downwards() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut below = BTreeSet::new();
    for (module, allowed) in FLOORS {
        let allowed: BTreeSet<_> = allowed.split_whitespace().collect();
        assert!(allowed.is_subset(&below), "{module} stands too low");
        below.insert(*module);
        let mut found = BTreeSet::new();
        imports(&source.join(format!("{module}.rs")), &mut found);
        imports(&source.join(module), &mut found);
        found.remove(*module);
        let found: BTreeSet<_> = found.iter().map(String::as_str).collect();
        assert_eq!(found, allowed, "what {module} imports");
    }
    let declared = fs::read_to_string(source.join("lib.rs")).unwrap();
    for line in declared.lines().filter_map(|line| line.strip_suffix(';')) {
        let module = line.rsplit(' ').next().unwrap();
        assert!(below.contains(module), "{module} has no floor");
    }
}

/// The top modules that a file, or what lies in a folder, names.
fn imports(path: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(path).into_iter().flatten() {
        imports(&entry.unwrap().path(), found);
    }
    if !path.is_file() || path.extension().is_none_or(|kind| kind != "rs") {
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    let code = text.lines().filter(|line| !line.trim().starts_with("//"));
    for after in code.flat_map(|line| line.split("crate::").skip(1)) {
        let name: String = after
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        found.extend(Some(name).filter(|name| !name.is_empty()));
    }
}
