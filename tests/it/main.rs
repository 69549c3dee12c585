//! Tests that cross rooms.

mod sql_logic;
