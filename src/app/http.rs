//! The HTTP server of one port, with its bounds.

use std::io;
use std::net::{SocketAddr, TcpListener};

use axum_server::{Handle, Server};

use crate::config::Config;
use crate::front::Front;

/// Serves what comes in by `front`.
///
/// # Errors
/// When the listener cannot be registered with the runtime.
pub(super) fn server(
    listener: TcpListener,
    front: Front,
    config: &Config,
    handle: Handle<SocketAddr>,
) -> io::Result<Server<SocketAddr, Front>> {
    // No page sends a tenth of it. It is what a stranger can have kept by beginning a request.
    const MAX_HEADERS: u32 = 16 * 1024;
    // As RFC 9113 §6.5.2 advises, and browsers suppose before they are told: a page has seventy modules.
    const STREAMS: u32 = 100;
    // Of what is sent to the server: forms of a few hundred bytes. RFC 9113 §6.9.2 allows no less for a connection.
    const FORM: u32 = 16 * 1024;
    const FORMS: u32 = 65_535;
    let limit = config.server.header_timeout;
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(front)
        .handle(handle)
        .first_request_timeout(limit);
    let builder = server.http_builder();
    builder
        .http1()
        .header_read_timeout(limit)
        .max_buf_size(MAX_HEADERS as usize);
    builder
        .http2()
        .max_header_list_size(MAX_HEADERS)
        .initial_stream_window_size(FORM)
        .initial_connection_window_size(FORMS)
        .max_concurrent_streams(STREAMS);
    Ok(server)
}
