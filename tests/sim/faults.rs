//! One fault at a time: each test carries the number of its fault in the catalogue of faults to survive, and ends with the
//! oracle's word on rows, order, ledgers and gaps.

mod crashes;
mod fan_out;
mod leases;
mod reading;
mod records;
mod retention;
mod shards;
mod store;
mod writers;
