//! The command line: its arguments, what each command does beside serving, and what is printed at the start.

pub(crate) mod banner;
pub mod cert;
pub mod commands;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::check::Target;
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

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve calls (the default)
    Serve,
    /// Find out what is wrong with a server and how to fix it: the one on this machine, or the one at a URL
    Check(Check),
    /// Show which certificate is served, who issued it and until when it is valid
    Cert {
        /// Write the certificate of this machine's own authority: PEM, DER where the name ends in .crt or .cer; "-" for
        /// standard output
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        export_ca: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the effective configuration, secrets redacted
    Config,
    /// Manage who may call: passwords and invitations
    #[command(subcommand)]
    Access(AccessCommand),
    /// Print a username and a password for the relay, for use in another program
    Credentials {
        /// How long they are valid, such as `1h` [default: `turn.credential_ttl`]
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        ttl: Option<Duration>,
        /// What the log calls their user [default: a random one]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Page of the server to check from here, such as `https://call.example.com/`, or the link of an invitation, which counts
    /// as one use of it [default: the server on this machine]
    #[arg(value_name = "URL")]
    pub url: Option<Target>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Trust the certificate authorities in this PEM file as well
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// File with the password, for a server that asks for one; "-" for standard input
    #[arg(long, value_name = "FILE", requires = "url")]
    pub password: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AccessCommand {
    /// Read a password from standard input and print its hash, for `access.password_hash`
    Hash,
    /// Print an invitation: a link that admits people to one room
    Invite {
        /// The room
        #[arg(long, value_name = "NAME")]
        room: String,
        /// How long the link is valid, such as `7d` [default: `access.invitation`]
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        ttl: Option<Duration>,
        /// How many people may use the link [default: any number]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        uses: Option<u32>,
    },
    /// Revoke all logins and invitations, and end the calls of everybody who used them
    RevokeAll,
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
    /// Name of this server, certified by Let's Encrypt; ports become 443 and 80 unless configured [may be repeated]
    #[arg(long = "domain", value_name = "NAME", global = true)]
    domains: Vec<String>,
    /// Have the name, or without one the public address, certified by Let's Encrypt; ports become 443 and 80 unless configured
    #[arg(long, global = true)]
    acme: bool,
    /// error, warn, info, debug, trace, or a filter; json for machines, also as in json,debug
    #[arg(long, value_name = "LEVEL", global = true)]
    log: Option<String>,
}

impl From<Options> for Overrides {
    fn from(options: Options) -> Self {
        let Options {
            config,
            listen,
            public_ip,
            domains,
            acme,
            log,
        } = options;
        Self {
            config,
            listen,
            public_ip,
            domains,
            acme,
            log,
        }
    }
}
