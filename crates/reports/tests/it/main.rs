//! Whole documents: how they look, what they refuse, how long they get, and that no text within them does anything.

mod frames;
mod golden;
mod hostile;
mod limits;
mod made;
mod ready;
