//! The simulation: the real consumer between a Kinesis and an object store that fail in every way we know, on one thread, a
//! clock that jumps, and a seed from which everything follows.
//!
//! The cast: the [`ground`] holds seed, clock and trace; [`kinesis`] is the stream, [`store`] the objects, a [`gate`] the life
//! of a worker process; [`documents`] says what is put and what must become of it; a [`world`] puts them together and the
//! [`oracle`] says at its end what is wrong. [`seeds`] live through random days, [`faults`] through one fault each.

mod ground;

mod documents;
mod gate;
mod kinesis;
mod kpl;
mod store;

mod oracle;
mod world;

mod faults;
mod seeds;
