//! The life of alerts in a lake: people and evaluators at once, processes that die, rules that change, rows that come late. Nothing
//! fires twice and nothing is lost.

mod at_once;
pub(crate) mod ground;
mod many;
mod older;
mod order;
mod people;
