//! Where configuration comes from: file, environment, arguments. Each source is checked alone first, so that an error
//! can name it; then they are merged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{
    Config as Layered, ConfigBuilder, File as FileSource, FileFormat, Map, Value, ValueKind,
};

use super::file::File;
use super::{ConfigError, beside};

const ENV_PREFIX: &str = "CALLBOX__";
const DEFAULT_FILES: [&str; 2] = ["config/callbox.toml", "/etc/callbox/callbox.toml"];

/// Values from the command line.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub public_ip: Option<String>,
    pub domains: Vec<String>,
    pub acme: bool,
    pub log: Option<String>,
}

/// Of the log.
const FORMATS: [&str; 2] = ["text", "json"];

/// What `--acme` and `--domain` mean.
const ACME: &str = r#"
listen = "[::]:443"
http.redirect = "[::]:80"
tls.acme.directory = "letsencrypt"
"#;

/// Everything that configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub arguments: Overrides,
    /// All environment variables; others than callbox's are ignored.
    pub environment: BTreeMap<String, String>,
}

/// Which source set which key.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    layers: Vec<(String, BTreeSet<String>)>,
}

impl Origins {
    /// The source that decided `key`.
    pub fn of(&self, key: &str) -> String {
        self.layers
            .iter()
            .rev()
            .find(|(_, keys)| keys.contains(key))
            .map_or_else(|| "built-in default".to_owned(), |(label, _)| label.clone())
    }

    /// Is `key` set by any source?
    pub fn sets(&self, key: &str) -> bool {
        self.layers.iter().any(|(_, keys)| keys.contains(key))
    }

    /// All sources in order of precedence, lowest first.
    pub fn summary(&self) -> String {
        let mut names = vec!["built-in defaults"];
        names.extend(self.layers.iter().map(|(label, _)| label.as_str()));
        names.join(" < ")
    }
}

/// One source, checked.
struct Layer {
    label: String,
    values: Layered,
}

impl Sources {
    /// The arguments given and the environment of this process.
    pub fn from_process(arguments: Overrides) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            arguments,
            environment,
        }
    }

    /// Is there another configuration file than the one of the whole machine?
    pub fn names_own_file(&self) -> bool {
        let [beside, _] = DEFAULT_FILES;
        self.arguments.config.is_some() || is_there(Path::new(beside))
    }

    /// Checks each source alone, then merges them: defaults < file < environment < arguments.
    pub(super) fn merge(&self) -> Result<(File, Origins), ConfigError> {
        let mut layers = Vec::new();
        layers.extend(self.systemd_layer()?);
        layers.extend(self.file_layer()?);
        layers.extend(self.environment_layers()?);
        layers.extend(self.domain_layer()?);
        layers.extend(self.argument_layers()?);
        layers.splice(0..0, self.acme_layer(&layers)?);

        let mut builder = Layered::builder();
        let mut origins = Origins::default();
        for layer in layers {
            let keys = flat_keys(&layer.values);
            builder = builder.add_source(layer.values);
            origins.layers.push((layer.label, keys));
        }
        let file = builder
            .build()
            .and_then(Layered::try_deserialize)
            .map_err(|error| broken(&origins.summary(), &error))?;
        Ok((file, origins))
    }

    fn file_layer(&self) -> Result<Option<Layer>, ConfigError> {
        let [beside, of_machine] = DEFAULT_FILES.map(Path::new);
        let named = self.arguments.config.as_deref();
        let (path, text) = match named {
            Some(path) => (path, std::fs::read_to_string(path)),
            None if is_there(beside) => (beside, read_beside(beside)?),
            None if is_there(of_machine) => (of_machine, std::fs::read_to_string(of_machine)),
            None => return Ok(None),
        };
        let label = path.display().to_string();
        let text = text.map_err(|error| ConfigError {
            passes: false,
            origin: label.clone(),
            key: "--config".to_owned(),
            problem: format!("cannot be read: {error}; name a readable TOML file"),
        })?;
        checked(label, &text).map(Some)
    }

    /// Each variable is a source of its own, so that an error names the variable.
    fn environment_layers(&self) -> Result<Vec<Layer>, ConfigError> {
        let ours = self.environment.iter().filter_map(|(name, value)| {
            name.strip_prefix(ENV_PREFIX)
                .map(|rest| (name, rest.to_ascii_lowercase(), value))
        });
        ours.map(|(name, path, value)| {
            let label = format!("environment variable {name}");
            let keys: Vec<&str> = path.split("__").collect();
            if keys.starts_with(&["turn", "users"]) {
                return Err(ConfigError {
                    passes: false,
                    origin: label,
                    key: "turn.users".to_owned(),
                    problem: "named users are read from a file only; add them under [turn.users]"
                        .to_owned(),
                });
            }
            single(label, &keys, value)
        })
        .collect()
    }

    fn argument_layers(&self) -> Result<Vec<Layer>, ConfigError> {
        let arguments = [
            ("--listen", ["listen"].as_slice(), &self.arguments.listen),
            ("--public-ip", &["public_ip"], &self.arguments.public_ip),
        ];
        let (format, level) = self
            .arguments
            .log
            .as_deref()
            .map_or((None, None), split_log);
        let log = [(["log", "format"], format), (["log", "level"], level)];
        let log = log
            .iter()
            .filter_map(|(keys, value)| Some(single("argument --log".to_owned(), keys, (*value)?)));
        arguments
            .into_iter()
            .filter_map(|(name, keys, value)| {
                let value = value.as_ref()?;
                Some(single(format!("argument {name}"), keys, value))
            })
            .chain(log)
            .collect()
    }

    /// A certificate from an authority, on the ports that it wants, is asked for with one argument. All of it may be
    /// configured otherwise.
    fn acme_layer(&self, others: &[Layer]) -> Result<Option<Layer>, ConfigError> {
        let (acme, domains) = (self.arguments.acme, &self.arguments.domains);
        let provided = others
            .iter()
            .any(|layer| flat_keys(&layer.values).contains("tls.cert"));
        if !acme && (domains.is_empty() || provided) {
            return Ok(None);
        }
        let argument = if acme { "--acme" } else { "--domain" };
        checked(format!("argument {argument}"), ACME).map(Some)
    }

    fn domain_layer(&self) -> Result<Option<Layer>, ConfigError> {
        let domains = &self.arguments.domains;
        if domains.is_empty() {
            return Ok(None);
        }
        let list = toml::Value::from(domains.clone());
        checked("argument --domain".to_owned(), &format!("domains = {list}")).map(Some)
    }

    /// What systemd sets for `StateDirectory=` replaces the default state directory.
    fn systemd_layer(&self) -> Result<Option<Layer>, ConfigError> {
        let Some(directory) = self.environment.get("STATE_DIRECTORY") else {
            return Ok(None);
        };
        single(
            "environment variable STATE_DIRECTORY".to_owned(),
            &["state"],
            directory,
        )
        .map(Some)
    }
}

/// Nobody asked for the file in the current folder, so it has to be the user's own. To go on without it would be to serve
/// with other settings than those that somebody wrote down.
fn read_beside(path: &Path) -> Result<std::io::Result<String>, ConfigError> {
    match beside::read(path) {
        Ok(Err(foreign)) => Err(ConfigError {
            passes: false,
            origin: path.display().to_string(),
            key: "--config".to_owned(),
            problem: format!(
                "is not read unasked, since {foreign}; change that, or name it (`--config {}`) or another one (`--config {}`), or start callbox in another folder",
                path.display(),
                DEFAULT_FILES[1]
            ),
        }),
        Ok(Ok(text)) => Ok(Ok(text)),
        Err(error) => Ok(Err(error)),
    }
}

/// Is there a configuration file? One that cannot be looked at is there, and reading it says so; where not even its folder
/// can be seen, as in somebody else's home, there is none.
fn is_there(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(path);
    folder.symlink_metadata().is_ok() && path.try_exists().unwrap_or(true)
}

/// A layer from TOML text.
fn checked(label: String, text: &str) -> Result<Layer, ConfigError> {
    text.parse::<toml::Table>()
        .map_err(|error| syntax_error(&label, text, &error))?;
    let values = Layered::builder()
        .add_source(FileSource::from_str(text, FileFormat::Toml))
        .build()
        .map_err(|error| broken(&label, &error))?;
    verify(label, values)
}

/// Where the text is not TOML. The line itself is not shown: it may hold a password.
fn syntax_error(label: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    ConfigError {
        passes: false,
        origin: label.to_owned(),
        key: format!("line {line}, column {column}"),
        problem: format!(
            "not TOML: {}; text values stand in quotes",
            error.message().replace('\n', ", ")
        ),
    }
}

/// Format and level in `--log`: either, or both with a comma between.
fn split_log(text: &str) -> (Option<&str>, Option<&str>) {
    let (first, rest) = match text.split_once(',') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    if FORMATS.contains(&first.trim()) {
        (Some(first.trim()), rest)
    } else {
        (None, Some(text))
    }
}

/// A layer with a single key.
fn single(label: String, keys: &[&str], value: &str) -> Result<Layer, ConfigError> {
    let Some((first, rest)) = keys.split_first() else {
        return Err(ConfigError {
            passes: false,
            origin: label,
            key: String::new(),
            problem: "names no key".to_owned(),
        });
    };
    let leaf = Value::new(None, ValueKind::String(value.to_owned()));
    let nested = rest.iter().rev().fold(leaf, |inner, key| {
        Value::new(
            None,
            ValueKind::Table(Map::from_iter([((*key).to_owned(), inner)])),
        )
    });
    let values = Layered::builder()
        .set_override(*first, nested)
        .and_then(ConfigBuilder::<DefaultState>::build)
        .map_err(|error| broken(&label, &error))?;
    verify(label, values)
}

fn verify(label: String, values: Layered) -> Result<Layer, ConfigError> {
    values
        .clone()
        .try_deserialize::<File>()
        .map_err(|error| broken(&label, &error))?;
    Ok(Layer { label, values })
}

/// Takes apart what the config crate says, so that key and problem stand in their places.
fn broken(label: &str, error: &config::ConfigError) -> ConfigError {
    let mut key = None;
    let mut cause = error;
    while let config::ConfigError::At { error, key: at, .. } = cause {
        key = key.or_else(|| at.clone());
        cause = error;
    }
    if let config::ConfigError::Type { key: Some(at), .. } = cause {
        key = Some(at.clone());
    }
    let text = match cause {
        config::ConfigError::Type {
            unexpected,
            expected,
            ..
        } => {
            format!("invalid type: {unexpected}, expected {expected}")
        }
        other => other.to_string(),
    };
    let text = match text.split_once(", expected ") {
        Some((_, expected)) if is_secret(key.as_deref()) => {
            format!("invalid type, expected {expected}")
        }
        _ => text,
    };
    let unknown = text
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'));
    if let Some((field, rest)) = unknown {
        let table = key.map(|table| format!("{table}.")).unwrap_or_default();
        return ConfigError {
            passes: false,
            origin: label.to_owned(),
            key: format!("{table}{field}"),
            problem: format!("unknown key{}", rest.replace('`', "").replace(" or ", ", ")),
        };
    }
    ConfigError {
        passes: false,
        origin: label.to_owned(),
        key: key.unwrap_or_else(|| "configuration".to_owned()),
        problem: format!(
            "{}; config/callbox.toml shows every key",
            text.replace('\n', " ")
        ),
    }
}

/// Does the value of this key never appear in a message?
fn is_secret(key: Option<&str>) -> bool {
    key.is_some_and(|key| {
        key == "turn.secret" || key == "access.password_hash" || key.starts_with("turn.users")
    })
}

fn flat_keys(values: &Layered) -> BTreeSet<String> {
    fn walk(prefix: &str, value: &Value, keys: &mut BTreeSet<String>) {
        if let ValueKind::Table(table) = &value.kind {
            for (key, inner) in table {
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                walk(&path, inner, keys);
            }
        } else {
            keys.insert(prefix.to_owned());
        }
    }
    let mut keys = BTreeSet::new();
    walk("", &values.cache, &mut keys);
    keys
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
