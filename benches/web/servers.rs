//! The servers that are compared: how each is configured for one core, started on it, and stopped.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hyper::HeaderMap;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, VARY};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;
use tokio::runtime;
use tokio_rustls::TlsConnector;

use crate::kind::Kind;
use crate::rows::Row;
use crate::{files, python, tls};

const READY_WITHIN: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);
/// Of Debian's package libnginx-mod-http-brotli-static.
const BROTLI: &str = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";

/// What is the same for every start of a server.
pub(crate) struct Setting {
    callbox: PathBuf,
    before: Option<PathBuf>,
    /// The Python that has python-socketio.
    python: Option<PathBuf>,
    server_core: usize,
    load_core: usize,
    /// Certificate, key, and the files that nginx serves.
    dir: TempDir,
    /// What nginx adds to its answers.
    headers: HeaderMap,
    pub connector: TlsConnector,
}

impl Setting {
    pub(crate) fn prepare(
        callbox: PathBuf,
        before: Option<PathBuf>,
        server_core: usize,
        load_core: usize,
        same_headers: bool,
        with_python: bool,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("files"))?;
        let mut setting = Self {
            connector: tls::make(dir.path())?,
            python: with_python.then(python::prepare).transpose()?,
            headers: HeaderMap::new(),
            callbox,
            before,
            server_core,
            load_core,
            dir,
        };
        let server = Server::start(Kind::Callbox, &setting)?;
        let root = setting.dir.path().join("files");
        let copying = files::copy(&setting.connector, server.address, &root);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let headers = runtime.block_on(copying)?;
        if same_headers {
            setting.headers = headers;
        }
        Ok(setting)
    }

    /// The servers that a row is measured on.
    pub(crate) fn kinds(&self, row: Row) -> Vec<Kind> {
        let there = |kind: &Kind| match kind {
            Kind::Before => self.before.is_some(),
            Kind::SocketIo => self.python.is_some(),
            Kind::Callbox | Kind::Nginx => true,
        };
        let kinds = Kind::ALL.into_iter().filter(there);
        kinds.filter(|&kind| row.runs_on(kind)).collect()
    }
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    dir: TempDir,
    /// The process that does the work.
    pub pid: u32,
    pub address: SocketAddr,
}

impl Server {
    pub(crate) fn start(kind: Kind, setting: &Setting) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let address = free_port()?;
        let mut command = match kind {
            Kind::Callbox => callbox(&setting.callbox, setting, dir.path(), address)?,
            Kind::Before => {
                let program = setting.before.as_ref().context("no --before")?;
                callbox(program, setting, dir.path(), address)?
            }
            Kind::Nginx => nginx(setting, dir.path(), address)?,
            Kind::SocketIo => {
                python::server(setting.python.as_ref().context("no Python")?, address)
            }
        };
        let log = File::create(dir.path().join("log"))?;
        command
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        pin(setting.server_core)?;
        let child = command.spawn();
        pin(setting.load_core)?;
        let child = child.with_context(|| kind.name())?;
        let mut server = Self {
            pid: child.id(),
            child,
            dir,
            address,
        };
        server.becomes_ready(kind)?;
        if kind == Kind::Nginx {
            server.pid = only_child(server.pid)?;
        }
        Ok(server)
    }

    fn becomes_ready(&mut self, kind: Kind) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        let log = fs::read_to_string(self.dir.path().join("log"))?;
        bail!("{} does not answer:\n{log}", kind.name())
    }
}

impl Drop for Server {
    /// nginx's master ends its worker if it is asked to stop, not if it is killed.
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, Signal::INT);
        }
        let deadline = Instant::now() + READY_WITHIN;
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline
        {
            thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Binds this thread, and the programs that it starts from now on, to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn only_child(pid: u32) -> anyhow::Result<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        if let Some(child) = fs::read_to_string(&path)?.split_whitespace().next() {
            return Ok(child.parse()?);
        }
        thread::sleep(PAUSE);
    }
    bail!("nginx has no worker")
}

/// Without the bounds on what one address may do: all the load comes from one machine.
fn callbox(
    program: &Path,
    setting: &Setting,
    dir: &Path,
    address: SocketAddr,
) -> io::Result<Command> {
    let pem = |name| setting.dir.path().join(name).display().to_string();
    // An older one does not know it.
    let known = Command::new(program)
        .arg("config")
        .current_dir(dir)
        .output()?;
    let handshakes = "handshakes_per_second_per_ip";
    let handshakes = if String::from_utf8_lossy(&known.stdout).contains(handshakes) {
        format!("{handshakes} = 1000000\n")
    } else {
        String::new()
    };
    let config = format!(
        "listen = \"{address}\"\nstate = \"state\"\n\
         [server]\nmax_connections = 16384\nmax_connections_per_ip = 16384\n{handshakes}\
         [tls]\ncert = \"{}\"\nkey = \"{}\"\n\
         [signaling]\nmax_rooms = 16384\nmax_rooms_per_ip = 16384\nmax_connections_per_ip = 16384\n\
         message_rate = 1000000\nvisitors_per_minute = 1000000\n\
         [turn]\nenabled = false\n[admin]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n",
        pem("cert.pem"),
        pem("key.pem"),
    );
    fs::write(dir.join("callbox.toml"), config)?;
    let mut command = Command::new(program);
    command.args(["--config", "callbox.toml", "serve"]);
    Ok(command)
}

/// One worker; everything that nginx offers to make small files fast, and none that would make it do less than callbox does.
fn nginx(setting: &Setting, dir: &Path, address: SocketAddr) -> io::Result<Command> {
    use std::fmt::Write;

    let own = setting.dir.path().display();
    let has_brotli = Path::new(BROTLI).exists();
    let mut headers = String::new();
    for (name, value) in &setting.headers {
        let of_its_own = [CONTENT_TYPE, CONTENT_LENGTH, DATE, ETAG, VARY].contains(name);
        if let (false, Ok(value)) = (of_its_own, value.to_str()) {
            let _ = writeln!(headers, "add_header {name} \"{value}\" always;");
        }
    }
    let config = format!(
        "{modules}worker_processes 1;\ndaemon off;\npid {dir}/pid;\nerror_log stderr error;\n\
         worker_rlimit_nofile 16384;\n\
         events {{ worker_connections 8192; multi_accept on; }}\n\
         http {{\n\
         include /etc/nginx/mime.types;\ntypes {{ text/javascript js; }}\n\
         access_log off;\nsendfile on;\ntcp_nopush on;\ntcp_nodelay on;\nserver_tokens off;\n\
         keepalive_requests 100000000;\nkeepalive_timeout 75s;\n\
         open_file_cache max=1000 inactive=60s;\nopen_file_cache_valid 60s;\n\
         open_file_cache_min_uses 1;\nopen_file_cache_errors on;\n\
         gzip_static on;\n{brotli}\
         ssl_certificate {own}/cert.pem;\nssl_certificate_key {own}/key.pem;\n\
         ssl_protocols TLSv1.2 TLSv1.3;\nssl_session_cache shared:a:10m;\nssl_buffer_size 16k;\n\
         ssl_ecdh_curve X25519:prime256v1;\n\
         client_body_temp_path {dir}/body;\nproxy_temp_path {dir}/proxy;\n\
         fastcgi_temp_path {dir}/fastcgi;\nuwsgi_temp_path {dir}/uwsgi;\nscgi_temp_path {dir}/scgi;\n\
         server {{\nlisten {address} ssl http2 backlog=4096;\nserver_name localhost;\n\
         root {own}/files;\n{headers}}}\n}}\n",
        dir = dir.display(),
        modules = if has_brotli {
            format!("load_module {BROTLI};\n")
        } else {
            String::new()
        },
        brotli = if has_brotli {
            "brotli_static on;\n"
        } else {
            ""
        },
    );
    let file = dir.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(file);
    command.args(["-e", "stderr"]);
    Ok(command)
}
