//! What is worth knowing about the rows that an alert rests on: the most frequent values, and what its accounts are called now.

use std::collections::{BTreeMap, HashMap};

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
/// How many values of a column are counted in memory; of more DataFusion counts them, which can spill.
const HELD: usize = 100_000;

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
        let (rows, columns) = self.telling(evidence).await?;
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let values = match self.counted_at_once(&rows, &columns, evidence).await? {
            Some(values) => values,
            None => {
                let mut values = Vec::new();
                for column in &columns {
                    let counted = counted(rows.clone(), column);
                    let counted = counted.map_err(|error| self.mistake(&error, evidence))?;
                    values.push(self.pairs(counted, evidence).await?);
                }
                values
            }
        };
        let tops = columns.into_iter().zip(values);
        let tops = tops.filter(|(_, values)| !values.is_empty());
        Ok(tops
            .map(|(column, values)| Top {
                column: column.to_owned(),
                values,
            })
            .collect())
    }

    /// The rows of a query, and which telling columns they have.
    pub(crate) async fn telling(
        &self,
        sql: &str,
    ) -> Result<(DataFrame, Vec<&'static str>), QueryError> {
        let plan = self.plan(sql, &BTreeMap::new()).await?;
        let rows = DataFrame::new(self.context().state(), plan);
        let has = |column: &&str| rows.schema().has_column_with_unqualified_name(column);
        let columns = TELLING.into_iter().filter(has).collect();
        Ok((rows, columns))
    }

    /// As `counted` for each of the columns, in one pass; `None` where there are too many values to hold them.
    async fn counted_at_once(
        &self,
        rows: &DataFrame,
        columns: &[&str],
        evidence: &str,
    ) -> Result<Option<Vec<Vec<(String, i64)>>>, QueryError> {
        let text = |column: &&str| cast(ident(*column), DataType::Utf8).alias(*column);
        let wanted = rows.clone().select(columns.iter().map(text));
        let wanted = wanted.map_err(|error| self.mistake(&error, evidence))?;
        let mut answer = Answer::of(wanted, evidence, self.names(), self.deadline()).await?;
        let mut times: Vec<HashMap<String, i64>> = vec![HashMap::new(); columns.len()];
        while let Some(batch) = answer.next().await? {
            for (at, times) in times.iter_mut().enumerate() {
                for value in batch.column(at).as_string::<i32>().iter().flatten() {
                    match times.get_mut(value) {
                        Some(times) => *times += 1,
                        None => {
                            times.insert(value.to_owned(), 1);
                        }
                    }
                }
                if times.len() > HELD {
                    return Ok(None);
                }
            }
        }
        let first = |times: HashMap<String, i64>| {
            let mut values: Vec<(String, i64)> = times.into_iter().collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            values.truncate(MOST);
            values
        };
        Ok(Some(times.into_iter().map(first).collect()))
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

#[cfg(test)]
mod tests {
    use crate::{Library, Limits, Session};

    #[tokio::test(flavor = "multi_thread")]
    async fn values_are_counted_in_one_pass_or_by_datafusion_alike() {
        let (library, limits) = (Library::built_in(), Limits::default());
        let session = Session::in_memory(Vec::new(), &library, &limits)
            .await
            .unwrap();
        for values in [10_i64, 2 * super::HELD as i64] {
            // Each value three times and some once more; the smallest five of the most frequent come first.
            let rows = format!(
                "SELECT CASE WHEN n % 7 = 0 THEN NULL ELSE 'T' END AS type, CAST(n % {values} AS VARCHAR) AS remote_ip, n FROM \
                 (SELECT value AS n FROM generate_series(0, {}))",
                3 * values + 6
            );
            let tops = session.top_values(&rows).await.unwrap();
            let columns: Vec<&str> = tops.iter().map(|top| top.column.as_str()).collect();
            assert_eq!(columns, ["type", "remote_ip"]);
            let all = 3 * values + 7;
            assert_eq!(tops[0].values, [("T".to_owned(), all - (all + 6) / 7)]);
            let times = |value: &str| (value.to_owned(), 4);
            assert_eq!(tops[1].values, ["0", "1", "2", "3", "4"].map(times));
        }
        assert_eq!(session.top_values("SELECT 1 AS other").await.unwrap(), []);
    }
}
