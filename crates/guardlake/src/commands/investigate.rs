//! `guardlake investigate`: the questions in `sql/investigations`, about one thing, listed or asked.

use std::process::ExitCode;

use jobs::Kind;

use super::{given, questions};
use crate::args::{Format, Investigate};
use crate::failure::Failure;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Investigate,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let given = given(&args.params)?;
    let (name, value, bounds) = (args.name.as_deref(), args.value.as_deref(), &args.bounds);
    questions::run(
        Kind::Investigation,
        name,
        value,
        given,
        bounds,
        settings,
        format,
    )
    .await?;
    Ok(ExitCode::SUCCESS)
}
