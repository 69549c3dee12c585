//! What is worth knowing about the rows that an alert rests on: the most frequent values, and what its accounts are called now.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{cast, ident, lit};
use datafusion::prelude::DataFrame;

use crate::answer::Answer;
use crate::mistake::QueryError;
use crate::session::Session;

/// Columns whose values say what happened, from where and to whom.
const TELLING: [&str; 4] = ["type", "remote_ip", "resource_id", "user_name"];
/// How many values of a column are told.
const MOST: usize = 5;

/// The most frequent values of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The column.
    pub column: String,
    /// Values, and in how many rows they are: at most five, the most frequent first, of equally frequent ones the smallest.
    pub values: Vec<(String, i64)>,
}

impl Session {
    /// The most frequent values among the rows of an alert's evidence, for each telling column that has any.
    pub async fn top_values(&self, evidence: &str) -> Result<Vec<Top>, QueryError> {
        let plan = self.plan(evidence, &BTreeMap::new()).await?;
        let mut tops = Vec::new();
        for column in TELLING {
            let rows = DataFrame::new(self.context().state(), plan.clone());
            if !rows.schema().has_column_with_unqualified_name(column) {
                continue;
            }
            let counted = counted(rows, column).map_err(|error| self.mistake(&error, evidence))?;
            let values = self.pairs(counted, evidence).await?;
            if !values.is_empty() {
                tops.push(Top {
                    column: column.to_owned(),
                    values,
                });
            }
        }
        Ok(tops)
    }

    /// What accounts are called now, those that have a name.
    pub async fn account_names(
        &self,
        accounts: &[String],
    ) -> Result<BTreeMap<String, String>, QueryError> {
        let named = async {
            let wanted = accounts
                .iter()
                .map(|account| lit(account.as_str()))
                .collect();
            let known = self.context().table("accounts").await?;
            known
                .filter(ident("account_id").in_list(wanted, false))?
                .filter(ident("name").is_not_null())?
                .select(["account_id", "name"].map(|c| cast(ident(c), DataType::Utf8).alias(c)))?
                .collect()
                .await
        };
        let batches = named.await.map_err(|error| self.mistake(&error, ""))?;
        let mut names = BTreeMap::new();
        for batch in batches {
            let (ids, called) = (batch.column(0), batch.column(1));
            let (ids, called) = (ids.as_string::<i32>(), called.as_string::<i32>());
            let pairs = (0..batch.num_rows()).map(|row| (ids.value(row), called.value(row)));
            names.extend(pairs.map(|(id, name)| (id.to_owned(), name.to_owned())));
        }
        Ok(names)
    }

    async fn pairs(
        &self,
        frame: DataFrame,
        evidence: &str,
    ) -> Result<Vec<(String, i64)>, QueryError> {
        let answer = Answer::of(frame, evidence, self.names(), self.deadline()).await?;
        let mut pairs = Vec::new();
        for batch in answer.collect().await? {
            let values = batch.column(0).as_string::<i32>();
            let counts = batch.column(1).as_primitive::<Int64Type>();
            let rows = (0..batch.num_rows()).filter(|row| values.is_valid(*row));
            pairs.extend(rows.map(|row| (values.value(row).to_owned(), counts.value(row))));
        }
        Ok(pairs)
    }
}

fn counted(rows: DataFrame, column: &str) -> Result<DataFrame, DataFusionError> {
    let value = cast(ident(column), DataType::Utf8).alias("value");
    rows.filter(ident(column).is_not_null())?
        .aggregate(vec![value], vec![count(lit(1_i64)).alias("times")])?
        .sort(vec![
            ident("times").sort(false, false),
            ident("value").sort(true, false),
        ])?
        .limit(0, Some(MOST))
}
