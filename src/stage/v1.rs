//! Version 1: products beside `events`, whose rows refer to them by region references.

use super::DataFormat;
use super::format::{ElementFormat, ProductKind};
use super::growing::Growing;
use super::product::{Columns, Product};
use super::regions::references_to;
use super::rows::spans;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::selection::Item;
use crate::tree::{Attributes, AttributesExt, Group, GroupExt, RowRegions};

/// The datasets of one product.
pub(super) struct ProductV1 {
    pub key: String,
    format: DataFormat,
    /// The dataset itself, `elements`, or `element_0`, ..
    pub elements: Vec<Growing>,
    /// The references of lists.
    pub index: Option<Growing>,
}

impl ProductV1 {
    /// `deferred` as [`Growing::references`] has it.
    pub fn new(key: &str, format: &DataFormat, deferred: bool) -> Self {
        let references = |width| ElementFormat { dtype: DType::RegionRef, width };
        let part = |name: &str, e: &ElementFormat| Growing::new(format!("{key}/{name}"), e.clone());
        let (elements, index) = match format.kind() {
            ProductKind::Flat => (
                format.elements().iter().map(|e| part("elements", e)).collect(),
                Some(Growing::references(format!("{key}/index"), references(None), deferred)),
            ),
            ProductKind::Jagged => (
                format.elements().iter().enumerate().map(|(i, e)| part(&format!("element_{i}"), e)).collect(),
                Some(Growing::references(format!("{key}/index"), references(Some(format.elements().len())), deferred)),
            ),
            _ => (format.elements().iter().map(|e| Growing::new(key, e.clone())).collect(), None),
        };
        Self { key: key.to_owned(), format: format.clone(), elements, index }
    }

    /// All datasets.
    pub fn datasets(&mut self) -> impl Iterator<Item = &mut Growing> {
        self.elements.iter_mut().chain(self.index.as_mut())
    }

    /// Refuses what this version has no place for, and more rows than references can count, before anything is written.
    pub fn check(&self, product: &Product) -> Result<()> {
        if self.format.is_typed() {
            return Err(error!(Unsupported, "version 1 has no place for what a product says of itself, nor for its parts")
                .remedy("write version 2, or put the parts into the batch as products of their own"));
        }
        let rows = |a: &AnyArray| a.shape().first().copied().unwrap_or(0);
        match product.columns() {
            Columns::Lists { elements, .. } => {
                self.index.iter().try_for_each(|i| i.check_rows(elements.events()))?;
                self.elements.iter().try_for_each(|g| g.check_rows(rows(&elements.values)))
            }
            Columns::Jagged(columns) => self.elements.iter().zip(columns).try_for_each(|(g, c)| g.check_rows(rows(&c.values))),
            _ => match (self.elements.first(), product.values()) {
                (Some(growing), Some(values)) => growing.check_rows(rows(values)),
                _ => Ok(()),
            },
        }
    }

    /// Writes the values of the events, and gives the rows of each.
    pub fn append(&mut self, stage: &dyn Group, events: usize, product: &Product) -> Result<RowRegions> {
        let Self { key, format, elements, index } = self;
        let Some(first) = elements.first_mut() else { bail!(Shape, "the product '{key}' has no arrays") };
        let new = first.rows == 0;
        let ranges = match (product.columns(), index) {
            (Columns::Scalars { values, batch }, _) => {
                let base = first.rows;
                let dataset = first.append(stage, per_event(values, *batch, events)?)?;
                references_to(&*dataset, (base..base + events as u64).map(|i| (i, i + 1)).collect())?
            }
            (Columns::Rows(rows), _) => {
                let base = first.rows;
                let dataset = first.append(stage, rows.values.clone())?;
                references_to(&*dataset, shifted(&rows.offsets, base))?
            }
            (Columns::Lists { elements: rows, events: starts }, Some(index)) => {
                let base = first.rows;
                let dataset = first.append(stage, rows.values.clone())?;
                let arrays = [references_to(&*dataset, shifted(&rows.offsets, base))?];
                let base = index.rows;
                let dataset = index.append_references(stage, rows.events(), &arrays)?;
                references_to(&*dataset, shifted(starts, base))?
            }
            (Columns::Jagged(columns), Some(index)) => {
                let mut arrays = Vec::with_capacity(columns.len());
                for (growing, rows) in elements.iter_mut().zip(columns) {
                    let base = growing.rows;
                    let dataset = growing.append(stage, rows.values.clone())?;
                    arrays.push(references_to(&*dataset, shifted(&rows.offsets, base))?);
                }
                let base = index.rows;
                let dataset = index.append_references(stage, events, &arrays)?;
                references_to(&*dataset, (base..base + events as u64).map(|i| (i, i + 1)).collect())?
            }
            _ => bail!(Dtype, "the product '{key}' is {} and not {format}", product.format()),
        };
        if new {
            let node = stage.get(key)?;
            describe(node.attrs(), format)?;
        }
        Ok(ranges)
    }
}

/// One value per event, repeated if it is one for the batch.
pub(super) fn per_event(values: &AnyArray, batch: bool, events: usize) -> Result<AnyArray> {
    if !batch {
        return Ok(values.clone());
    }
    if events == 0 {
        return values.select(Item::from(0..0));
    }
    values.broadcast(&[events])
}

/// The spans of offsets, behind rows that are there.
fn shifted(offsets: &[u64], base: u64) -> Vec<(u64, u64)> {
    spans(offsets).map(|(a, b)| (base + a, base + b)).collect()
}

/// The attributes by which readers know a product.
fn describe(attrs: &dyn Attributes, format: &DataFormat) -> Result<()> {
    attrs.set("scalar", format.kind().is_scalar())?;
    match format.class_name() {
        Some(class) => attrs.set("class_name", class),
        None => Ok(()),
    }
}
