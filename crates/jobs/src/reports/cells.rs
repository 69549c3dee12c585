//! Rows of an answer as the plain values that reports are written from.

use ::reports::{Cell, Column, Kind, Table};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lake::schema::{text_list, timestamp};

/// All rows, in order.
pub(super) fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Table, ArrowError> {
    let fields = schema.fields().iter();
    let columns: Vec<Column> = fields
        .map(|field| Column {
            name: field.name().clone(),
            kind: kind(field.data_type()),
        })
        .collect();
    let mut rows = Vec::new();
    for batch in batches {
        let cells = columns.iter().zip(batch.columns());
        let cells: Vec<Vec<Cell>> = cells
            .map(|(column, values)| cells_of(column.kind, values))
            .collect::<Result<_, _>>()?;
        let mut cells: Vec<_> = cells.into_iter().map(Vec::into_iter).collect();
        for _ in 0..batch.num_rows() {
            rows.push(
                cells
                    .iter_mut()
                    .map(|c| c.next().unwrap_or(Cell::Null))
                    .collect(),
            );
        }
    }
    Ok(Table { columns, rows })
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Boolean => Kind::Boolean,
        integer if integer.is_integer() => Kind::Integer,
        number if number.is_numeric() => Kind::Number,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Kind::Time,
        DataType::List(_) | DataType::LargeList(_) | DataType::ListView(_) => Kind::List,
        DataType::Dictionary(_, values) => kind(values),
        _ => Kind::Text,
    }
}

fn cells_of(kind: Kind, values: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let rows = 0..values.len();
    Ok(match kind {
        Kind::Boolean => {
            let values = cast(values, &DataType::Boolean)?;
            let of = |row| Cell::Boolean(values.as_boolean().value(row));
            rows.map(|row| known(&values, row, of)).collect()
        }
        Kind::Integer => {
            let values = cast(values, &DataType::Int64)?;
            let of = |row| Cell::Integer(values.as_primitive::<Int64Type>().value(row));
            rows.map(|row| known(&values, row, of)).collect()
        }
        Kind::Number => {
            let values = cast(values, &DataType::Float64)?;
            let of = |row| Cell::Number(values.as_primitive::<Float64Type>().value(row));
            rows.map(|row| known(&values, row, of)).collect()
        }
        Kind::Time => {
            let values = cast(values, &timestamp())?;
            let of = |row| Cell::Time(values.as_primitive::<TimestampMicrosecondType>().value(row));
            rows.map(|row| known(&values, row, of)).collect()
        }
        Kind::List => {
            let values = cast(values, &text_list())?;
            let of = |row| {
                let texts = values.as_list::<i32>().value(row);
                let texts = texts.as_string::<i32>().iter();
                Cell::List(
                    texts
                        .map(|text| text.unwrap_or_default().to_owned())
                        .collect(),
                )
            };
            rows.map(|row| known(&values, row, of)).collect()
        }
        Kind::Text => {
            let options = FormatOptions::default();
            let shown = ArrayFormatter::try_new(values.as_ref(), &options)?;
            let of = |row| Cell::Text(shown.value(row).to_string());
            rows.map(|row| known(values, row, of)).collect()
        }
    })
}

fn known(values: &ArrayRef, row: usize, of: impl Fn(usize) -> Cell) -> Cell {
    match values.is_valid(row) && !matches!(values.data_type(), DataType::Null) {
        true => of(row),
        false => Cell::Null,
    }
}
