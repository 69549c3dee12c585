//! A table as plain Parquet files of one version: for engines that send their plans to other machines. The list of files travels in the
//! plan, so that all machines read the same version and none of them reads the Delta log.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::datafusion::catalog::{Session, TableProvider};
use deltalake::datafusion::common::stats::Precision;
use deltalake::datafusion::common::{DFSchema, DataFusionError, ScalarValue, Statistics};
use deltalake::datafusion::datasource::listing::PartitionedFile;
use deltalake::datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, ParquetSource,
};
use deltalake::datafusion::datasource::source::DataSourceExec;
use deltalake::datafusion::datasource::table_schema::TableSchema;
use deltalake::datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::datafusion::logical_expr::utils::conjunction;
use deltalake::datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use deltalake::datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::kernel::{EagerSnapshot, LogicalFileView};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use url::Url;

use crate::lake::Provided;
use crate::{Lake, LakeError, Location, Table};

impl Lake {
    /// A table for engines elsewhere, at its newest version. Its scans are plain scans of Parquet files by their full address: who works
    /// on them needs the store ([`store_of`]) and nothing else.
    ///
    /// # Errors
    /// Besides those of reading the log: another writer has given the table features (deletion vectors, other names of columns) with which
    /// its files alone do not say what its rows are.
    pub async fn files(&self, table: Table) -> Result<Provided, LakeError> {
        let delta = self.reader(table).await?;
        let state = delta
            .snapshot()
            .map_err(|source| self.delta(table, "read the log", source))?;
        let version = state.version() as i64;
        let damaged = |reason: String| LakeError::Damaged {
            what: "the table".to_owned(),
            uri: self.table_url(table),
            reason,
        };
        let reader = state.protocol().min_reader_version();
        if reader > 1 {
            return Err(damaged(format!(
                "it asks for reader version {reader}, which a cluster does not have; ask without --cluster"
            )));
        }
        let url = self.location().table_url(table);
        let mut store = url.clone();
        store.set_path("");
        let store = ObjectStoreUrl::parse(store.as_str()).map_err(|e| damaged(e.to_string()))?;
        let root = Path::from_url_path(url.path()).map_err(|e| damaged(e.to_string()))?;
        let provider = Arc::new(Files {
            schema: schema(table),
            snapshot: state.snapshot().clone(),
            store,
            root,
        });
        Ok(Provided { provider, version })
    }
}

/// The store that holds an address, from its root on: what a scan of [`Lake::files`] asks for by `file:///` or `s3://bucket`. Settings of
/// S3 are those of [`Location::parse`].
pub fn store_of(url: &Url) -> Result<Arc<dyn ObjectStore>, LakeError> {
    let refuse = |reason: String| LakeError::Address {
        uri: url.to_string(),
        reason,
    };
    match (url.scheme(), url.host_str()) {
        ("file", _) => Ok(Arc::new(object_store::local::LocalFileSystem::new())),
        ("s3" | "s3a", Some(bucket)) => {
            let location = Location::parse(&format!("{}://{bucket}", url.scheme()))?;
            Ok(location.whole()?.0)
        }
        (scheme, _) => Err(refuse(format!("`{scheme}://` is not supported"))),
    }
}

/// The columns of a table, those of its partitions last: files do not hold them.
fn schema(table: Table) -> TableSchema {
    let all = table.schema();
    let is_partition = |field: &Field| table.partition_columns().contains(&field.name().as_str());
    let (partitions, columns): (Vec<_>, Vec<_>) = all
        .fields()
        .iter()
        .cloned()
        .partition(|field| is_partition(field));
    TableSchema::builder(Arc::new(Schema::new(columns)))
        .with_table_partition_cols(partitions)
        .build()
}

/// The files of one version.
#[derive(Debug)]
struct Files {
    schema: TableSchema,
    snapshot: EagerSnapshot,
    store: ObjectStoreUrl,
    root: Path,
}

impl Files {
    /// The files that may hold rows for which the filters hold, and how many rows they have, if the log says. What the log says of columns
    /// stays here: files are left out by it before they are sent.
    fn matching(
        &self,
        session: &dyn Session,
        filters: &[Expr],
    ) -> Result<(Vec<PartitionedFile>, Option<usize>), DataFusionError> {
        let log = self.snapshot.log_data();
        let mut kept = vec![true; log.num_files()];
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            let schema = DFSchema::try_from(self.schema.table_schema().as_ref().clone())?;
            let filter = session.create_physical_expr(filter, &schema)?;
            let predicate = PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(self.schema.table_schema()))
                .try_build(filter)?;
            kept = predicate.prune(&self.snapshot)?;
        }
        let (mut files, mut rows) = (Vec::new(), Some(0));
        for (file, _) in log.iter().zip(kept).filter(|(_, kept)| *kept) {
            files.push(self.scanned(&file)?);
            rows = rows.zip(file.num_records()).map(|(rows, more)| rows + more);
        }
        Ok((files, rows))
    }

    fn scanned(&self, file: &LogicalFileView) -> Result<PartitionedFile, DataFusionError> {
        let values = file.partition_values_map();
        let partitions = self.schema.table_partition_cols().iter();
        let partitions = partitions.map(|column| {
            let value = values.get(column.name()).cloned().flatten();
            ScalarValue::Utf8(value).cast_to(column.data_type())
        });
        let last_modified = file
            .modification_datetime()
            .map_err(|e| DataFusionError::External(Box::new(e)))?;
        let below = file.object_store_path();
        let meta = ObjectMeta {
            location: self.root.parts().chain(below.parts()).collect(),
            last_modified,
            size: file.size() as u64,
            e_tag: None,
            version: None,
        };
        let partitions = partitions.collect::<Result<_, _>>()?;
        Ok(PartitionedFile::new_from_meta(meta).with_partition_values(partitions))
    }
}

#[async_trait::async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Files are left out here and row groups where they are read; neither tells of single rows.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let (files, rows) = self.matching(session, filters)?;
        let parts = session.config().target_partitions().max(1);
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = rows.map_or(Precision::Absent, Precision::Inexact);
        statistics.total_byte_size = Precision::Inexact(
            files
                .iter()
                .map(|file| file.object_meta.size as usize)
                .sum(),
        );
        let source = ParquetSource::new(self.schema.clone());
        // A limit ends a scan early only where no row is filtered out of it afterwards.
        let limit = limit.filter(|_| filters.is_empty());
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_groups(shared(files, parts))
            .with_statistics(statistics)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Files in groups of about the same number of bytes: the largest first, each where there is least. The order of the log decides between
/// files of one size, so that the same files make the same groups.
fn shared(mut files: Vec<PartitionedFile>, groups: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut shared: Vec<(u64, Vec<PartitionedFile>)> = Vec::new();
    for file in files {
        let size = file.object_meta.size;
        if shared.len() < groups {
            shared.push((size, vec![file]));
        } else if let Some((bytes, group)) = shared.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += size;
            group.push(file);
        }
    }
    shared
        .into_iter()
        .map(|(_, group)| FileGroup::new(group))
        .collect()
}
