//! Parses arguments and runs a command.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use callbox::check;
use callbox::cli::{self, AccessCommand, Cli, Command, cert, commands};
use callbox::config::{Config, ConfigError, Sources};
use callbox::{app, shutdown, telemetry};
use clap::Parser;

/// The configuration has to be changed.
const EXIT_CONFIG: u8 = 2;
/// Something else failed.
const EXIT_FAILURE: u8 = 1;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("callbox: {error:#}");
            let ours = error
                .downcast_ref::<ConfigError>()
                .is_some_and(|error| !error.passes);
            ExitCode::from(if ours { EXIT_CONFIG } else { EXIT_FAILURE })
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let sources = Sources::from_process(cli.options.into());
    match cli.command.unwrap_or(Command::Serve) {
        Command::Check(command) => return check(command, sources),
        Command::Cert { export_ca, json } => {
            let config = Config::load(&sources)?;
            print!("{}", cert(&config, export_ca.as_deref(), json)?);
        }
        Command::Config => print!("{}", Config::show(&sources)?),
        Command::Credentials { ttl, name } => {
            let config = Config::load(&sources)?;
            print!("{}", commands::credentials(&config, ttl, name.as_deref())?);
        }
        Command::Access(AccessCommand::Hash) => println!("{}", commands::hash()?),
        Command::Access(AccessCommand::Invite { room, ttl, uses }) => {
            let config = Config::load(&sources)?;
            println!("{}", commands::invite(&config, &room, ttl, uses)?);
        }
        Command::Access(AccessCommand::RevokeAll) => {
            println!("{}", commands::revoke_all(&Config::load(&sources)?)?);
        }
        Command::Serve => serve(Config::load(&sources)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(command: cli::Check, sources: Sources) -> anyhow::Result<ExitCode> {
    let ca = command.ca.as_deref();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = match command.url {
        Some(target) => {
            runtime.block_on(check::outside(target, ca, command.password.as_deref()))?
        }
        None => runtime.block_on(check::inside(sources, ca))?,
    };
    // What a server keeps waiting is not waited for.
    runtime.shutdown_background();
    if command.json {
        println!("{}", report.json()?);
    } else {
        print!("{}", report.table());
    }
    Ok(if report.ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILURE)
    })
}

fn cert(config: &Config, export_ca: Option<&Path>, json: bool) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let text = runtime.block_on(async {
        if let Some(file) = export_ca {
            return cert::export(config, file).await;
        }
        let report = cert::report(config, SystemTime::now()).await?;
        Ok(if json {
            format!("{}\n", report.json()?)
        } else {
            report.text()
        })
    });
    // A resolver that does not answer must not hold the end up.
    runtime.shutdown_background();
    text
}

fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let shutdown = shutdown::on_signals()?;
        app::run(config, shutdown).await
    });
    // Everything has ended in its order; a resolver that does not answer must not hold the end up.
    runtime.shutdown_background();
    served
}
