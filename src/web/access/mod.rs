//! The gate before the web app, and the pages where one shows a password or an invitation.

mod gate;
mod pages;

pub(super) use gate::guard;
pub(super) use pages::routes;
