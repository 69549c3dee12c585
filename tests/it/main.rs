//! Tests that cross rooms.

mod house;
mod sql_logic;
