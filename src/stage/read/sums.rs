//! The checksum of a dataset of a stage, taken again from what is stored.

use super::super::regions::{Selected, Table, numbers};
use super::columns::Events;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::tree::digest::{LazyPaths, canonical_bytes};
use crate::tree::{DatasetExt, DatasetRef, Group, GroupExt, Node};
use std::borrow::Cow;

/// The bytes that are read at a time.
const BLOCK: usize = 16 << 20;

/// The CRC-32 of the elements of a dataset: of references, of the rows to which they lead.
pub(in crate::stage) fn checksum_of(stage: &dyn Group, name: &str, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<u32> {
    let dataset = stage.dataset(name)?;
    let mut sum = crc32fast::Hasher::new();
    let dtype = dataset.dtype()?;
    if dtype == DType::RegionRef {
        let table = Table::read(&*dataset)?;
        let Some((product, _)) = name.rsplit_once('/') else { bail!(Corrupt, "'{name}' is no index of a list") };
        let product = stage.group(product)?;
        let targets: Vec<DatasetRef> = match table.shape().get(1) {
            None => vec![product.dataset("elements")?],
            Some(k) => (0..*k).map(|i| product.dataset(&format!("element_{i}"))).collect::<Result<_>>()?,
        };
        let ranges = targets.iter().enumerate().map(|(at, target)| table.column(at, &**target)).collect::<Result<Vec<_>>>()?;
        progress(table.nbytes() as u64)?;
        add_rows(&mut sum, &ranges, table.len());
        return Ok(sum.finalize());
    }
    if name == "events" && matches!(dtype, DType::Compound(_)) {
        let events = Events::read(stage)?;
        let mut ranges = Vec::new();
        for field in dtype.fields() {
            let target = match stage.get(&field.name)? {
                Node::Dataset(dataset) => dataset,
                other => other.into_group()?.dataset("index")?,
            };
            ranges.push(events.rows(&field.name, &*target)?);
        }
        add_rows(&mut sum, &ranges, events.len());
        return Ok(sum.finalize());
    }
    let shape = dataset.shape()?;
    let (rows, row) = (shape.first().copied().unwrap_or(0), dtype.itemsize() * shape.iter().skip(1).product::<usize>());
    let step = (BLOCK / row.max(1)).max(1);
    for from in (0..rows).step_by(step) {
        let values: AnyArray = dataset.read_slice(from..(from + step).min(rows))?;
        canonical_bytes(&values, &mut |bytes| sum.update(bytes), &mut LazyPaths::new(stage))?;
        progress(values.nbytes() as u64)?;
    }
    Ok(sum.finalize())
}

/// The ranges, row by row; several of one reference are none, as nothing is.
fn add_rows(sum: &mut crc32fast::Hasher, columns: &[Selected], rows: usize) {
    let singles: Vec<Cow<'_, [(u64, u64)]>> = columns
        .iter()
        .map(|c| match c.singles() {
            Some(spans) => Cow::Borrowed(spans),
            None => (0..c.len()).map(|row| if let [span] = c.of(row) { *span } else { (0, 0) }).collect(),
        })
        .collect();
    let spans: Vec<&[(u64, u64)]> = singles.iter().map(|s| &**s).collect();
    numbers(sum, rows, &spans);
}
