//! Who asks for something, and under which address of the server.

use std::net::IpAddr;

use super::site::Site;

/// Whoever sent a request. It is found out once for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub ip: IpAddr,
    /// Where the browser reached the server, or the proxy before it.
    pub site: Site,
    /// No proxy for HTTP stands between them: at this site there is this server itself, and so its TURN, too.
    pub direct: bool,
}
