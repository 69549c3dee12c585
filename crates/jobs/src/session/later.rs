//! A table that is opened by the first question that names it: most looks at a lake name two of its tables.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lake::{Lake, Provided, Table};
use tokio::sync::OnceCell;

/// A table of a lake, at the version that the first question finds.
pub(super) struct Later {
    lake: Lake,
    table: Table,
    schema: SchemaRef,
    opened: OnceCell<Arc<dyn TableProvider>>,
}

impl Later {
    /// `schema` is what the table had when it was opened before.
    pub(super) fn new(lake: Lake, table: Table, schema: SchemaRef) -> Later {
        Later {
            lake,
            table,
            schema,
            opened: OnceCell::new(),
        }
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Later({})", self.table.name())
    }
}

#[async_trait::async_trait]
impl TableProvider for Later {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Files are left out by them; rows are looked at above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let opened = self.opened.get_or_try_init(|| async {
            let Provided { provider, .. } = self.lake.provider(self.table).await?;
            Ok::<_, lake::LakeError>(provider)
        });
        let opened = opened.await;
        // Who asks again may have better luck.
        let opened =
            opened.map_err(|error| DataFusionError::IoError(std::io::Error::other(error)))?;
        // As many rows as are wanted are not enough where some are left out afterwards.
        let limit = limit.filter(|_| filters.is_empty());
        opened.scan(state, projection, filters, limit).await
    }
}

#[cfg(test)]
mod tests {
    use lake::AccountRow;

    use super::*;
    use crate::testing::ask;
    use crate::{Library, Limits};

    async fn append(lake: &Lake, account: &str) {
        let row = AccountRow {
            account_id: account.to_owned(),
            name: Some(format!("name of {account}")),
            ou: None,
            owner: None,
            email: None,
            tags: Vec::new(),
            valid_from: 0,
            valid_to: None,
        };
        lake.append_accounts(&[row]).await.unwrap();
    }

    #[tokio::test]
    async fn tables_are_opened_by_the_first_question_and_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let uri = folder.path().display().to_string();
        let lake = Lake::open_or_create(&uri).await.unwrap();
        let other = Lake::open_or_create(&uri).await.unwrap();
        let open = || async {
            let (library, limits) = (Library::built_in(), Limits::default());
            crate::Session::open(&lake, &library, &limits)
                .await
                .unwrap()
        };
        let count = "SELECT count(*) FROM accounts_history";
        // Nothing is known of the tables yet: they are opened.
        let first = open().await;
        append(&other, "111111111111").await;
        assert_eq!(ask(&first, count).await.unwrap(), "0");
        let second = open().await;
        append(&other, "222222222222").await;
        assert_eq!(
            ask(&second, count).await.unwrap(),
            "2",
            "opened when it was asked for"
        );
        append(&other, "333333333333").await;
        assert_eq!(ask(&second, count).await.unwrap(), "2", "one look");
        assert_eq!(
            second.version(Table::Findings),
            Some(lake.version(Table::Findings).await.unwrap())
        );
        let third = open().await;
        let some = "SELECT account_id, (SELECT count(*) FROM alert_log) FROM accounts_history \
            WHERE account_id > '1' ORDER BY 1 LIMIT 2";
        assert_eq!(
            ask(&third, some).await.unwrap(),
            "111111111111|0\n222222222222|0"
        );
    }
}
