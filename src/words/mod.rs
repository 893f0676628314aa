//! The vocabulary of the whole program: types that say what a secret, a password, a name or a site is. The ground floor: nothing
//! here imports anything else of callbox.

pub(crate) mod names;
pub(crate) mod password;
pub(crate) mod secret;
pub(crate) mod site;
pub(crate) mod visitor;
