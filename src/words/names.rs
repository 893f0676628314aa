//! Names that people give: of rooms, and of themselves.

mod person;
mod room;

pub(crate) use person::{look_alike, person};
pub(crate) use room::RoomName;
