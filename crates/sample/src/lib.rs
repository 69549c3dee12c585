//! Realistic GuardDuty findings from a seed, for the demo, the tests and the benchmarks.
//!
//! An organisation ([`accounts`]) makes findings: [`Options`] say how many, over which time and with which troubles
//! (updates, redeliveries, late arrivals, hostile text, planted [`Burst`]s); a [`Generator`] hands out [`Document`]s
//! one by one, each with the [`Truth`] about what it says. The same options give the same bytes, on any machine.
//!
//! One finding goes this way: the generator draws a type from the catalogue, an account and remote addresses, and
//! keeps a small `Finding`; a `Scene` names everybody in it; `detail` writes the scene as JSON through `Wire`, which
//! knows both spellings; `document` puts it into the outer shape that was asked for.
//!
//! Quiet: no clock, no environment, no randomness but the seed. It does not know the crate `finding` either: a
//! generator that shared code with the decoder would agree with its mistakes.

mod document;
mod generator;
mod options;

mod accounts;
mod catalogue;
mod finding;
mod hostile;
mod names;
mod places;
mod scene;

mod actions;
mod detail;
mod extra;
mod malware;
mod resources;
mod runtime;
mod sequence;
mod wording;
mod workloads;

mod rng;
mod time;
mod wire;

pub use accounts::{Account, accounts};
pub use catalogue::active_types;
pub use document::{Document, Shape, Truth};
pub use generator::Generator;
pub use hostile::hostile;
pub use options::{Burst, BurstKind, Options};
