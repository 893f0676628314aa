//! Pebble, the ACME server for tests of Let's Encrypt's makers.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use super::PATIENCE;
use super::ports::free_port;

/// Pebble, and the name server that it asks: every name is 127.0.0.1.
pub(crate) struct Authority {
    dir: tempfile::TempDir,
    ports: [u16; 3],
    setting: (&'static str, &'static str),
    processes: Vec<Child>,
}

/// Where the validation of what runs on 127.0.0.1 arrives.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub http: u16,
    pub tls: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self {
            http: free_port(),
            tls: free_port(),
        }
    }
}

impl Authority {
    pub(crate) async fn start(ports: Ports, life: Duration) -> Self {
        Self::start_with(ports, life, ("PEBBLE_VA_NOSLEEP", "1")).await
    }

    /// With a variable of its environment, which Pebble takes many of its settings from.
    pub(crate) async fn start_with(
        ports: Ports,
        life: Duration,
        setting: (&'static str, &'static str),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [listen, management, dns] = [free_port(), free_port(), free_port()];
        make_server_certificate(dir.path());
        let config = format!(
            r#"{{"pebble": {{
                "listenAddress": "127.0.0.1:{listen}", "managementListenAddress": "127.0.0.1:{management}",
                "certificate": "server.pem", "privateKey": "server.key", "httpPort": {}, "tlsPort": {},
                "ocspResponderURL": "", "externalAccountBindingRequired": false,
                "domainBlocklist": ["blocked.example.com"], "certificateValidityPeriod": {}
            }}}}"#,
            ports.http,
            ports.tls,
            life.as_secs()
        );
        std::fs::write(dir.path().join("pebble.json"), config).unwrap();
        let mut authority = Self {
            dir,
            ports: [listen, free_port(), dns],
            setting,
            processes: Vec::new(),
        };
        authority.launch().await;
        authority
    }

    async fn launch(&mut self) {
        let [listen, management, dns] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let off = [
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-defaultIPv6",
            "",
        ];
        let names = ["-dns01", &dns, "-management", &management];
        self.run("pebble-challtestsrv", &[&off[..], &names[..]].concat());
        self.run("pebble", &["-config", "pebble.json", "-dnsserver", &dns]);
        let ready = async {
            while TcpStream::connect(&listen).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let started = tokio::time::timeout(PATIENCE, ready).await;
        started.unwrap_or_else(|_| panic!("pebble does not start:\n{}", self.log()));
    }

    fn run(&mut self, command: &str, arguments: &[&str]) {
        let log = self.dir.path().join(format!("{command}.log"));
        let log = std::fs::File::create(log).unwrap();
        let child = Command::new(command)
            .args(arguments)
            .current_dir(self.dir.path())
            .env(self.setting.0, self.setting.1)
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command} cannot be started: {error}"));
        self.processes.push(child);
    }

    pub(crate) fn stop(&mut self) {
        for mut child in self.processes.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It keeps nothing over a restart.
    pub(crate) async fn forget_all(&mut self) {
        self.stop();
        self.launch().await;
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("pebble.log")).unwrap_or_default()
    }

    /// Where it listens, and another may once it is stopped.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[0]).into()
    }

    /// How many were made; the requests are more, since it refuses some nonces.
    pub(crate) fn orders(&self) -> usize {
        self.log().matches("Added order").count()
    }

    /// callbox's `[tls.acme]`, with `more`.
    pub(crate) fn config(&self, more: &str) -> String {
        acme_config(self.dir.path(), self.ports[0], more)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- log of pebble:\n{}", self.log());
        }
    }
}

/// For an authority on this port whose root lies in `dir`.
pub(crate) fn acme_config(dir: &Path, port: u16, more: &str) -> String {
    let ca = dir.join("root.pem");
    format!(
        "[tls.acme]\ndirectory = \"https://127.0.0.1:{port}/dir\"\nca = \"{}\"\nretry = \"100ms\"\n{more}",
        ca.display()
    )
}

/// A root, and the certificate of the authority's own server under it.
pub(crate) fn make_server_certificate(dir: &Path) {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(dir.join("root.pem"), root_pem).unwrap();
    std::fs::write(dir.join("server.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
}
