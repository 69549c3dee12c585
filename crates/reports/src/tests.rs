//! Tests across the crate: files and their mistakes, what is asked, when.

mod asked;
mod calendar;
mod files;
mod fires;
