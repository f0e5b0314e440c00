//! Objects of version 2: the fixed fields, and the others from their pools.

use super::super::yaml;
use crate::array::{AnyArray, Arena, Item, select};
use crate::copy::Json;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::tree::{AttributesExt, DatasetExt, Group, GroupExt};

/// The objects with all their fields: the fixed ones, then those of the pools unless they are not wanted.
pub(super) fn join(product: &dyn Group, fixed_only: bool) -> Result<AnyArray> {
    let fixed = product.dataset("fixed")?.read_array()?;
    if fixed.dtype().fields().is_empty() || fixed.ndim() != 1 {
        bail!(Corrupt, "the objects of '{}' are no compounds", product.name());
    }
    let is_offset = |name: &str| name.starts_with("_var_offsets_");
    let mut fields: Vec<(String, DType)> =
        fixed.dtype().fields().iter().filter(|f| !is_offset(&f.name)).map(|f| (f.name.clone(), f.dtype.clone())).collect();
    let mut columns = Vec::new();
    let count = if fixed_only { 0 } else { fixed.dtype().fields().iter().filter(|f| is_offset(&f.name)).count() };
    for pool in 0..count {
        for (name, column) in read_pool(product, &fixed, pool)? {
            fields.push((name.clone(), column.dtype().clone()));
            columns.push((name, column));
        }
    }
    let dtype = DType::compound(fields.iter().map(|(n, t)| (n.as_str(), t.clone())))?;
    let mut out = AnyArray::zeros(dtype, fixed.shape().to_vec())?;
    for field in fixed.dtype().fields().iter().filter(|f| !is_offset(&f.name)) {
        out.set_field(&field.name, fixed.field(&field.name)?)?;
    }
    for (name, column) in columns {
        out.set_field(&name, column)?;
    }
    Ok(out)
}

/// The fields of a pool, each as a column of texts or sequences.
fn read_pool(product: &dyn Group, fixed: &AnyArray, pool: usize) -> Result<Vec<(String, AnyArray)>> {
    let group = product.group(&format!("variables/pool_{pool}"))?;
    let broken = |what: &str| error!(Corrupt, "{what}").at(group.name());
    let names = match yaml::from_text(&group.attrs().get::<String>("fields")?)? {
        Json::Array(items) => items.iter().map(|i| i.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let names = names.ok_or_else(|| broken("the fields of the pool are no list of names"))?;
    let text = match group.attrs().get::<String>("kind")?.as_str() {
        "string" => true,
        "array" => false,
        _ => return Err(broken("the pool is of an unknown kind")),
    };
    let values = group.dataset("values")?.read_array()?;
    if values.ndim() != 1 || (text && *values.dtype() != DType::U8) {
        return Err(broken("the values of the pool are of the wrong type"));
    }
    let offsets = fixed.field(&format!("_var_offsets_{pool}"))?;
    let stride = names.len() + 1;
    let bytes = offsets.as_bytes().unwrap_or(&[]);
    if *offsets.dtype() != DType::array(DType::I64, [stride]) {
        return Err(broken("the offsets of the pool do not fit its fields"));
    }
    let number = |at: usize| -> Result<usize> {
        let raw = bytes.get(at * 8..at * 8 + 8).and_then(|b| b.try_into().ok()).map(i64::from_ne_bytes);
        raw.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= values.len()).ok_or_else(|| broken("an offset leads out of the pool"))
    };
    let slot = if text { 8 } else { 16 };
    let dtype = if text { DType::STR } else { DType::varseq(values.dtype().clone()) };
    let mut out = Vec::with_capacity(names.len());
    for (at, name) in names.into_iter().enumerate() {
        let (heap, mut slots) = (Arena::default(), vec![0u8; fixed.len() * slot]);
        for (row, slot) in slots.chunks_exact_mut(slot).enumerate() {
            let (from, to) = (number(row * stride + at)?, number(row * stride + at + 1)?);
            if from > to {
                return Err(broken("the offsets of the pool do not rise"));
            }
            if from == to {
                continue;
            }
            let part = values.select(from..to)?;
            let item = if text { Item::Str(part.as_bytes().unwrap_or(&[]).into()) } else { Item::Seq(Box::new(part)) };
            select::set_slot(slot, 0, heap.push(item));
        }
        out.push((name, AnyArray::with_slots(dtype.clone(), heap, slots)));
    }
    Ok(out)
}
