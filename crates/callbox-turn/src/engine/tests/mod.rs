//! A server without sockets, whose clock moves when told to: for stories, for properties, and for fuzzing against a model.

mod directory;
pub(crate) mod schedule;
#[cfg(test)]
mod stories;
mod world;

use super::*;
