//! `guardlake trend`: the questions in `sql/trends`, listed or asked.

use std::process::ExitCode;

use jobs::Kind;

use super::{given, questions};
use crate::args::{Format, Trend};
use crate::failure::Failure;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Trend,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let mut given = given(&args.params)?;
    let named = [
        ("from", args.from),
        ("to", args.to),
        ("accounts", args.accounts),
        ("ou", args.ou),
        ("types", args.types),
        ("severity", args.severity),
        ("tz", args.tz),
    ];
    given.extend(
        named
            .into_iter()
            .filter_map(|(n, v)| Some((n.to_owned(), v?))),
    );
    let (name, bounds) = (args.name.as_deref(), &args.bounds);
    questions::run(Kind::Trend, name, None, given, bounds, settings, format).await?;
    Ok(ExitCode::SUCCESS)
}
