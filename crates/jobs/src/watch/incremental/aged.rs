//! Silence: what has changed since it was last asked about, though nothing came.

use std::collections::BTreeMap;

use alerts::{Extent, Rule};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, ident, lit};

use super::super::reads::TIME;
use super::super::recent::Recent;
use super::Failed;
use crate::evaluate::{Values, select, touched as groups_of};
use crate::session::Session;

/// The groups of which time alone may have made something else between two moments (UTC microseconds), over that time: see [`Extent::aged`].
pub(super) async fn touched(
    whole: &Session,
    recent: &Recent,
    rule: &Rule,
    before: i64,
    as_of: i64,
) -> Result<BTreeMap<Values, Extent>, Failed> {
    let [old, future] = Extent::aged(rule, before, as_of);
    let held = match recent.has_later_than(old.0) {
        true => recent.session(whole).await?,
        false => None,
    };
    let session = held.unwrap_or(whole);
    let rows = select(session, rule, as_of).await?;
    let touched = async {
        let rows = rows.filter(between(old).or(between(future)))?;
        groups_of(rows, rule, None).await
    };
    let touched = touched
        .await
        .map_err(|error: DataFusionError| session.mistake(&error, &rule.sql))?;
    let extent = Extent {
        from: before,
        through: as_of,
    };
    Ok(touched.into_keys().map(|group| (group, extent)).collect())
}

/// Of a time later than `after` and not later than `through`.
fn between((after, through): (i64, i64)) -> Expr {
    let at = |micros| {
        lit(ScalarValue::TimestampMicrosecond(
            Some(micros),
            Some("UTC".into()),
        ))
    };
    ident(TIME)
        .gt(at(after))
        .and(ident(TIME).lt_eq(at(through)))
}
