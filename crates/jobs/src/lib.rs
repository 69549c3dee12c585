//! Asks the lake the questions in `sql/`: views, trends, alert rules, investigations, and whatever a person types.
//!
//! The cast: a [`Library`] is the files of `sql/`, a [`Script`] one of them with its header read; a [`Session`] is one look
//! at the lake, an [`Answer`] the rows of one question, a [`QueryError`] the word that is wrong.
//!
//! The flow: [`Session::open`] takes the tables at their present versions and lays the views over them; [`Session::sql`]
//! asks what a person typed, [`Session::run`] what a script asks. Both only read, in bounded memory and time. [`rules`] reads and
//! checks alert rules, [`evaluate()`] turns one into the episodes of its groups, [`run_alerts`] brings the alert log in line,
//! [`operate()`] writes what people do with alerts.

mod answer;
mod apart;
pub mod backtest;
mod bind;
mod common;
mod complete;
mod evaluate;
mod evidence;
mod first;
mod functions;
mod gaps;
mod limits;
mod mistake;
mod nulls;
mod operate;
mod params;
pub mod reports;
pub mod rules;
mod script;
mod session;
mod statements;
#[cfg(test)]
mod testing;
pub mod timeline;
mod watch;

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;

pub use answer::Answer;
pub use complete::{Candidate, Names, What, complete};
pub use evaluate::{Fired, evaluate};
pub use evidence::Top;
pub use functions::{register_for_plans, state_of, with_state};
pub use gaps::STREAM_GAP;
pub use limits::Limits;
pub use mistake::{Place, QueryError, Remedy, closest, render_mistake};
pub use operate::{OperateError, Operated, operate};
pub use params::{Given, Parameter, ParameterType, Value};
pub use script::{Header, Kind, Library, Script, ScriptError, Source};
pub use session::{Elsewhere, Opened, Session, sql_name};
pub use statements::{is_complete, statements};
pub use watch::{AtHand, Evaluator, Report, is_incremental, plan_rule, run_alerts};

/// Why a session cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// A file of `sql/` cannot be read or has a wrong header. Repair it.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The SQL of a file is wrong. Repair it.
    #[error("{file}:{error}")]
    Query {
        /// Which file.
        file: String,
        /// Its text, for [`QueryError::render`].
        text: Arc<str>,
        /// What is wrong.
        error: QueryError,
    },
    /// The lake cannot be read.
    #[error("cannot open the lake's tables")]
    Lake(#[from] lake::LakeError),
    /// Columns did not fit together: report a bug.
    #[error("columns do not fit together")]
    Columns(#[from] arrow::error::ArrowError),
    /// A period that was asked for is none. Ask for another.
    #[error("{0}")]
    Period(String),
    /// DataFusion did not set up.
    #[error("cannot set up the query engine")]
    Engine(#[from] DataFusionError),
}

fn function_names(state: &SessionState) -> Vec<String> {
    let scalar = state.scalar_functions().keys();
    let aggregate = state.aggregate_functions().keys();
    let window = state.window_functions().keys();
    let mut names: Vec<String> = scalar
        .chain(aggregate)
        .chain(window)
        .chain(state.higher_order_functions().keys())
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}
