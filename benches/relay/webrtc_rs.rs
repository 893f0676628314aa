//! webrtc-rs's `turn::server::Server` in as small a program as can be. One core, so one thread.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use webrtc_util::vnet::net::Net;

use crate::turn_client::{PASSWORD, REALM, USER};

const LISTEN_BUFFER: usize = 4 << 20;

struct OneUser {
    key: Vec<u8>,
}

impl AuthHandler for OneUser {
    fn auth_handle(&self, user: &str, _: &str, _: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        if user == USER {
            Ok(self.key.clone())
        } else {
            Err(turn::Error::ErrNoSuchUser)
        }
    }
}

pub(crate) fn serve(listen: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let socket = UdpSocket::bind(listen).await?;
        SockRef::from(&socket).set_recv_buffer_size(LISTEN_BUFFER)?;
        let _server = start(socket).await.map_err(io::Error::other)?;
        std::future::pending().await
    })
}

async fn start(socket: UdpSocket) -> Result<Server, turn::Error> {
    Server::new(ServerConfig {
        conn_configs: vec![ConnConfig {
            conn: Arc::new(socket),
            relay_addr_generator: Box::new(RelayAddressGeneratorStatic {
                relay_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                address: Ipv4Addr::LOCALHOST.to_string(),
                net: Arc::new(Net::new(None)),
            }),
        }],
        realm: REALM.to_owned(),
        auth_handler: Arc::new(OneUser {
            key: generate_auth_key(USER, REALM, PASSWORD),
        }),
        channel_bind_timeout: Duration::ZERO,
        alloc_close_notify: None,
    })
    .await
}
