//! Tests that cross rooms.

mod support;

mod backfill;
mod bell;
mod cluster;
mod deploy;
mod exactly_once;
mod exports;
mod house;
mod life;
mod loads;
mod organization;
mod pack;
mod readers;
mod reports;
mod service;
#[path = "../sim/sim.rs"]
mod sim;
mod sql_logic;
mod streams;
mod truth;
mod upkeep;
mod walk;
