//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;

/// Video calls of your own: web app, signaling and TURN server in one program.
#[derive(Debug, Parser)]
#[command(name = "callbox", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve calls (the default)
    Serve,
    /// Print the effective configuration, secrets redacted
    Config,
}

#[derive(Debug, Args)]
pub struct Options {
    /// Configuration file [default: config/callbox.toml if there, else /etc/callbox/callbox.toml if there]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Address and port of the web app, such as `[::]:8443`
    #[arg(long, value_name = "ADDR", global = true)]
    listen: Option<String>,
    /// Address under which the world reaches this machine, or "auto"
    #[arg(long, value_name = "IP", global = true)]
    public_ip: Option<String>,
    /// error, warn, info, debug, trace, or a filter
    #[arg(long, value_name = "LEVEL", global = true)]
    log: Option<String>,
}

impl From<Options> for Overrides {
    fn from(options: Options) -> Self {
        let Options {
            config,
            listen,
            public_ip,
            log,
        } = options;
        Self {
            config,
            listen,
            public_ip,
            log,
        }
    }
}
