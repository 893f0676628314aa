#!/usr/bin/env bash
# rustls 0.23.46 keeps a read buffer of 4096 bytes in every connection that has received anything, also while the connection is idle and
# nothing is left to be read: `set_buffer_limit` does not change it, since it bounds what is sent. A server with 10,000 idle
# WebSockets holds 40 MB for it. One would guess that the buffer goes when it is empty, as that for plaintext does.
#
# Both ends run in memory, over pipes; an allocator counts the blocks that an idle server connection gives back when it is dropped.
# Needs cargo and a C compiler. Prints what it saw, and fails once that changes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat >"$dir/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
rcgen = { version = "=0.14.10", default-features = false, features = ["crypto", "pem", "ring"] }
rustls = { version = "=0.23.46", default-features = false, features = ["ring", "std", "tls12"] }

[workspace]
TOML
cat >"$dir/src/main.rs" <<'RUST'
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Counts freed blocks: of 4096 bytes, and the bytes of all.
struct Counting;
static PAGES: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        PAGES.fetch_add(usize::from(layout.size() == 4096), Relaxed);
        BYTES.fetch_add(layout.size(), Relaxed);
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one end has to send, to the other.
fn pass(client: &mut ClientConnection, server: &mut ServerConnection) {
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
        }
    }
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der());
    let chain = vec![pair.cert.der().clone()];
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    server.set_buffer_limit(Some(64));

    pass(&mut client, &mut server);
    client.writer().write_all(b"ping").unwrap();
    pass(&mut client, &mut server);
    let mut read = [0; 8];
    assert_eq!(server.reader().read(&mut read).unwrap(), 4);
    let waiting = server.process_new_packets().unwrap().plaintext_bytes_to_read();
    assert!(!server.is_handshaking() && !server.wants_write() && waiting == 0, "it is not idle");

    PAGES.store(0, Relaxed);
    BYTES.store(0, Relaxed);
    drop(server);
    let (pages, bytes) = (PAGES.load(Relaxed), BYTES.load(Relaxed));
    println!("blocks of 4096 bytes in an idle connection: {pages}");
    eprintln!("of {bytes} bytes in all");
}
RUST
saw=$(cargo run --quiet --manifest-path "$dir/Cargo.toml")
echo "$saw"
[ "$saw" = "blocks of 4096 bytes in an idle connection: 1" ]
