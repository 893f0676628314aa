//! Names that people give: of rooms, and of themselves.

mod person;
mod room;

pub use person::{look_alike, person};
pub use room::RoomName;
