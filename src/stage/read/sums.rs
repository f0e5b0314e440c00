//! The checksum of a dataset of a stage, taken again from what is stored.

use super::super::regions::ranges_of;
use super::columns::Events;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::tree::digest::{LazyPaths, canonical_bytes};
use crate::tree::{DatasetExt, DatasetRef, Group, GroupExt, Node};

/// The bytes that are read at a time.
const BLOCK: usize = 16 << 20;

/// The CRC-32 of the elements of a dataset: of references, of the rows to which they lead.
pub(in crate::stage) fn checksum_of(stage: &dyn Group, name: &str, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<u32> {
    let dataset = stage.dataset(name)?;
    let mut sum = crc32fast::Hasher::new();
    let dtype = dataset.dtype()?;
    if dtype == DType::RegionRef {
        let table = dataset.read_array()?;
        let Some((product, _)) = name.rsplit_once('/') else { bail!(Corrupt, "'{name}' is no index of a list") };
        let product = stage.group(product)?;
        let columns = table.shape().get(1).copied();
        let targets: Vec<DatasetRef> = match columns {
            None => vec![product.dataset("elements")?],
            Some(k) => (0..k).map(|i| product.dataset(&format!("element_{i}"))).collect::<Result<_>>()?,
        };
        let size = dtype.itemsize();
        let mut ranges = Vec::with_capacity(targets.len());
        for (at, target) in targets.iter().enumerate() {
            ranges.push(ranges_of(&table, at * size, targets.len() * size, &**target, &target.shape()?)?);
        }
        progress(table.nbytes() as u64)?;
        add_rows(&mut sum, &ranges, table.shape().first().copied().unwrap_or(0));
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

/// The ranges, row by row; nothing is 0 to 0.
fn add_rows(sum: &mut crc32fast::Hasher, columns: &[super::super::regions::Selected], rows: usize) {
    for row in 0..rows {
        for column in columns {
            let (from, to) = match column.of(row) {
                [(a, b)] if a < b => (*a, *b),
                _ => (0, 0),
            };
            sum.update(&from.to_le_bytes());
            sum.update(&to.to_le_bytes());
        }
    }
}
