//! nginx in front of callbox, as docs/operating.md configures it.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::authority::make_server_certificate;
use super::ports::free_port;

/// From where it asks callbox, so that it is not taken for the test itself.
pub(crate) const ADDRESS: &str = "127.0.0.3";

pub(crate) struct Nginx {
    child: Child,
    dir: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Nginx {
    /// Serves HTTPS with a certificate of its own and asks `upstream` for everything.
    pub(crate) fn https(upstream: &str) -> Self {
        let certificate = "ssl_certificate server.pem; ssl_certificate_key server.key;";
        Self::start(|port| {
            let listen =
                format!("listen 127.0.0.1:{port} ssl; {certificate} proxy_bind {ADDRESS};");
            let server = documented("ssl;");
            let server = changed(&server, "listen 443 ssl;", &listen);
            let server = changed(&server, "http://127.0.0.1:8443", upstream);
            format!("http {{ access_log off; {server} }}")
        })
    }

    /// Passes bytes on, and says before them whom it does that for.
    pub(crate) fn stream(upstream: SocketAddr) -> Self {
        Self::start(|port| {
            let listen = format!("listen 127.0.0.1:{port}; proxy_bind {ADDRESS};");
            let server = documented("proxy_protocol on;");
            let server = changed(&server, "listen 443;", &listen);
            let server = changed(&server, "127.0.0.1:8443", &upstream.to_string());
            format!("stream {{ {server} }}")
        })
    }

    fn start(config: impl FnOnce(u16) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        make_server_certificate(dir.path());
        let port = free_port();
        let text = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;
             daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n{}",
            config(port)
        );
        std::fs::write(dir.path().join("nginx.conf"), text).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nginx is installed");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let nginx = Self {
            child,
            dir,
            address,
        };
        nginx.wait();
        nginx
    }

    fn wait(&self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(start.elapsed() < PATIENCE, "nginx is not there:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The block of the documentation that holds this.
fn documented(part: &str) -> String {
    let document = include_str!("../../../docs/operating.md");
    let blocks = document.split("```nginx\n").skip(1);
    let mut found = blocks
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.contains(part));
    let block = found.next().expect("a block for nginx");
    assert!(found.next().is_none(), "one block with {part}");
    block.to_owned()
}

fn changed(block: &str, from: &str, to: &str) -> String {
    assert!(block.contains(from), "{from} is not in\n{block}");
    block.replace(from, to)
}
