//! The vocabulary of the whole program: types that say what a secret, a password or a name is. Pure, and the ground floor: nothing
//! here imports anything else of callbox.

pub mod names;
pub mod password;
pub mod secret;
pub mod site;
pub mod visitor;
