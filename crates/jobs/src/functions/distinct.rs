//! `count(DISTINCT text)` in many groups. DataFusion 55 keeps a set for each group, so that "how many accounts did each address touch" over
//! ten million addresses takes the memory of the machine; here all groups share one set of pairs of numbers, 9 to 18 bytes each.

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringViewArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, filter};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::hash_utils::RandomState;
use datafusion::common::{HashSet, Result, ScalarValue, resources_datafusion_err};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};
use hashbrown::HashTable;

use super::{Texts, text_type};

/// DataFusion's `count`, except for distinct texts in groups.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Count(Arc<AggregateUDF>);

impl Default for Count {
    fn default() -> Count {
        Count(count_udaf())
    }
}

/// The type that distinct values are told to the next step as, where they are texts.
fn texts(args: &AccumulatorArgs) -> Option<DataType> {
    let [field] = args.expr_fields else {
        return None;
    };
    let given = match field.data_type() {
        DataType::Dictionary(_, values) => values,
        given => given,
    };
    let is_text = matches!(
        given,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    (args.is_distinct && is_text).then(|| given.clone())
}

impl AggregateUDFImpl for Count {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn is_nullable(&self) -> bool {
        self.0.is_nullable()
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.0.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.0.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        texts(&args).is_some() || self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match texts(&args) {
            Some(told_as) => Ok(Box::new(DistinctTexts::new(told_as))),
            None => self.0.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.0.create_sliding_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_udf()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.0.default_value(data_type)
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.0.value_from_stats(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.inner().set_monotonicity(data_type)
    }
}

/// Which texts each group has seen.
struct DistinctTexts {
    told_as: DataType,
    texts: Interned,
    /// Group and text.
    seen: HashSet<(u32, u32), RandomState>,
    counts: Vec<i64>,
}

impl DistinctTexts {
    fn new(told_as: DataType) -> DistinctTexts {
        DistinctTexts {
            told_as,
            texts: Interned::default(),
            seen: HashSet::default(),
            counts: Vec::new(),
        }
    }

    fn see(&mut self, group: usize, text: &str) -> Result<()> {
        let id = self.texts.id(text)?;
        if self.seen.insert((number(group)?, id)) {
            self.counts[group] += 1;
        }
        Ok(())
    }

    /// Forgets the first groups; those behind them move up.
    fn forget(&mut self, emit_to: EmitTo, mut each: impl FnMut(u32, u32)) -> Result<Vec<i64>> {
        match emit_to {
            EmitTo::All => {
                for (group, id) in std::mem::take(&mut self.seen) {
                    each(group, id);
                }
            }
            EmitTo::First(first) => {
                let first = number(first)?;
                let mut kept = HashSet::default();
                for (group, id) in self.seen.drain() {
                    match group.checked_sub(first) {
                        Some(group) => {
                            kept.insert((group, id));
                        }
                        None => each(group, id),
                    }
                }
                self.seen = kept;
            }
        }
        Ok(emit_to.take_needed(&mut self.counts))
    }
}

impl GroupsAccumulator for DistinctTexts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        only: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.counts.resize(total, 0);
        let values = plain(&values[0])?;
        let values = Texts::of(&values);
        for (row, group) in groups.iter().enumerate() {
            if only.is_none_or(|only| only.is_valid(row) && only.value(row))
                && let Some(text) = values.get(row)
            {
                self.see(*group, text)?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.counts.resize(total, 0);
        let lists = states[0].as_list::<i32>();
        let values = Texts::of(lists.values());
        for (row, group) in groups.iter().enumerate() {
            let ends = lists.value_offsets();
            for at in ends[row] as usize..ends[row + 1] as usize {
                if let Some(text) = values.get(at) {
                    self.see(*group, text)?;
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = self.forget(emit_to, |_, _| {})?;
        if matches!(emit_to, EmitTo::All) {
            self.texts = Interned::default();
        }
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(groups) => groups,
        };
        let lengths = self.counts[..groups].iter().map(|count| *count as usize);
        let ends = OffsetBuffer::<i32>::from_lengths(lengths);
        let mut next: Vec<usize> = ends[..groups].iter().map(|at| *at as usize).collect();
        let mut ids = vec![0; ends[groups] as usize];
        self.forget(emit_to, |group, id| {
            let at = &mut next[group as usize];
            ids[*at] = id;
            *at += 1;
        })?;
        let values = StringViewArray::from_iter_values(ids.iter().map(|id| self.texts.get(*id)));
        if matches!(emit_to, EmitTo::All) {
            self.texts = Interned::default();
        }
        told(Arc::new(values), &self.told_as, ends)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        only: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = plain(&values[0])?;
        let counts = |row| {
            values.is_valid(row) && only.is_none_or(|only| only.is_valid(row) && only.value(row))
        };
        let counted: BooleanArray = (0..values.len()).map(|row| Some(counts(row))).collect();
        let ends = OffsetBuffer::from_lengths(counted.values().iter().map(usize::from));
        told(filter(&values, &counted)?, &self.told_as, ends)
    }

    fn size(&self) -> usize {
        self.texts.size()
            + self.seen.capacity() * 8 / 7 * (size_of::<(u32, u32)>() + 1)
            + self.counts.capacity() * size_of::<i64>()
    }
}

/// Values as the lists that the next step merges.
fn told(values: ArrayRef, told_as: &DataType, ends: OffsetBuffer<i32>) -> Result<Vec<ArrayRef>> {
    let field = Arc::new(Field::new_list_field(told_as.clone(), true));
    let lists = ListArray::try_new(field, ends, cast(&values, told_as)?, None)?;
    Ok(vec![Arc::new(lists)])
}

/// Texts out of their dictionary.
fn plain(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(values, &text_type(values.data_type()))?)
}

fn number(group: usize) -> Result<u32> {
    u32::try_from(group).map_err(|_| resources_datafusion_err!("more than 4294967295 groups"))
}

/// Texts, each once, by numbers.
#[derive(Default)]
struct Interned {
    all: String,
    ends: Vec<usize>,
    ids: HashTable<u32>,
    hasher: RandomState,
}

impl Interned {
    fn get(&self, id: u32) -> &str {
        text_of(&self.all, &self.ends, id)
    }

    fn id(&mut self, text: &str) -> Result<u32> {
        let Interned {
            all,
            ends,
            ids,
            hasher,
        } = self;
        let hash = hasher.hash_one(text);
        if let Some(id) = ids.find(hash, |id| text_of(all, ends, *id) == text) {
            return Ok(*id);
        }
        let id = number(ends.len())?;
        all.push_str(text);
        ends.push(all.len());
        ids.insert_unique(hash, id, |id| hasher.hash_one(text_of(all, ends, *id)));
        Ok(id)
    }

    fn size(&self) -> usize {
        self.all.capacity() + self.ends.capacity() * size_of::<usize>() + self.ids.allocation_size()
    }
}

fn text_of<'a>(all: &'a str, ends: &[usize], id: u32) -> &'a str {
    let id = id as usize;
    let start = id.checked_sub(1).map_or(0, |before| ends[before]);
    &all[start..ends[id]]
}
