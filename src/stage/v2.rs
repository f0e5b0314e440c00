//! Version 2: products as columns with offsets, without references and sequences.

use super::DataFormat;
use super::format::{ElementFormat, ProductKind};
use super::growing::Growing;
use super::product::{Columns, Product};
use super::v1::per_event;
use super::yaml;
use crate::array::{AnyArray, Item, select};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::tree::{AttributesExt, Group, GroupExt};

/// The datasets of one product.
pub(super) struct ProductV2 {
    pub key: String,
    format: DataFormat,
    /// `values` and `event_offsets`; of jagged lists for each place; of objects `fixed` with its offsets.
    parts: Vec<(Growing, Growing)>,
    /// Of flat lists.
    element_offsets: Option<Growing>,
    pools: Vec<Pool>,
    /// The products that belong to it.
    owned: Vec<ProductV2>,
    described: bool,
}

/// The values of the fields of one type, of all objects.
pub(super) struct Pool {
    /// The names of the fields, and where their slots are in the rows that are given.
    fields: Vec<(String, usize)>,
    text: bool,
    values: Growing,
}

fn numbers() -> ElementFormat {
    ElementFormat { dtype: DType::I64, width: None }
}

impl ProductV2 {
    pub fn new(key: &str, format: &DataFormat) -> Result<Self> {
        let at = |name: &str| format!("products/{key}/{name}");
        let offsets = |name: &str| Growing::list(at(name), numbers());
        let mut pools = Vec::new();
        let mut element_offsets = None;
        let parts = match format.kind() {
            ProductKind::Scalar if format.dtype().is_string() => {
                let bytes = ElementFormat { dtype: DType::U8, width: None };
                vec![(Growing::new(at("values"), bytes), offsets("event_offsets"))]
            }
            ProductKind::Scalar | ProductKind::Array | ProductKind::Flat => {
                if format.kind() == ProductKind::Flat {
                    element_offsets = Some(offsets("element_offsets"));
                }
                format.elements().iter().map(|e| (Growing::new(at("values"), e.clone()), offsets("event_offsets"))).collect()
            }
            ProductKind::Jagged => {
                let part = |(i, e): (usize, &ElementFormat)| {
                    (Growing::new(at(&format!("element_{i}/values")), e.clone()), offsets(&format!("element_{i}/event_offsets")))
                };
                format.elements().iter().enumerate().map(part).collect()
            }
            ProductKind::Object | ProductKind::Objects => {
                let fixed;
                (fixed, pools) = split_fields(format.dtype(), &at("variables"))?;
                vec![(Growing::new(at("fixed"), ElementFormat { dtype: fixed, width: None }), offsets("event_offsets"))]
            }
        };
        let owned = format.parts.iter().map(|(name, f)| Self::new(&format!("{key}/{name}"), f)).collect::<Result<_>>()?;
        Ok(Self { key: key.to_owned(), format: format.clone(), parts, element_offsets, pools, owned, described: false })
    }

    /// All datasets.
    pub fn datasets(&mut self) -> Vec<&mut Growing> {
        let pools = self.pools.iter_mut().map(|p| &mut p.values);
        let owned = self.owned.iter_mut().flat_map(Self::datasets);
        self.parts.iter_mut().flat_map(|(v, o)| [v, o]).chain(self.element_offsets.as_mut()).chain(pools).chain(owned).collect()
    }

    /// Writes the values of the events.
    pub fn append(&mut self, stage: &dyn Group, events: usize, product: &Product) -> Result<()> {
        self.append_own(stage, events, product)?;
        self.owned.iter_mut().zip(product.parts()).try_for_each(|(owned, (_, part))| owned.append(stage, events, part))
    }

    fn append_own(&mut self, stage: &dyn Group, events: usize, product: &Product) -> Result<()> {
        self.describe(stage)?;
        let Self { key, format, parts, element_offsets, pools, .. } = self;
        match (product.columns(), &mut parts[..]) {
            (Columns::Scalars { values, batch }, [(growing, offsets)]) => {
                let values = per_event(values, *batch, events)?;
                if format.dtype().is_string() {
                    let texts = values.to_strings()?;
                    let base = growing.rows;
                    growing.append(stage, AnyArray::from(texts.concat().into_bytes()))?;
                    append_offsets(offsets, stage, base, lengths_to_ends(texts.iter().map(String::len)))
                } else {
                    let base = growing.rows;
                    growing.append(stage, values)?;
                    append_offsets(offsets, stage, base, (1..=events as u64).collect())
                }
            }
            (Columns::Rows(rows), [(growing, offsets)]) => {
                let values = if format.class_name().is_some() {
                    split_rows(&rows.values, &growing.format.dtype, stage, pools)?
                } else {
                    rows.values.clone()
                };
                let base = growing.rows;
                growing.append(stage, values)?;
                append_offsets(offsets, stage, base, ends(&rows.offsets))
            }
            (Columns::Lists { elements, events: starts }, [(growing, offsets)]) => {
                let Some(element_offsets) = element_offsets else { bail!(Dtype, "the product '{key}' is no flat list") };
                let (base, arrays) = (growing.rows, element_offsets.rows.saturating_sub(1));
                growing.append(stage, elements.values.clone())?;
                append_offsets(element_offsets, stage, base, ends(&elements.offsets))?;
                append_offsets(offsets, stage, arrays, ends(starts))
            }
            (Columns::Jagged(columns), parts) if columns.len() == parts.len() => {
                for ((growing, offsets), rows) in parts.iter_mut().zip(columns) {
                    let base = growing.rows;
                    growing.append(stage, rows.values.clone())?;
                    append_offsets(offsets, stage, base, ends(&rows.offsets))?;
                }
                Ok(())
            }
            _ => bail!(Dtype, "the product '{key}' is {} and not {format}", product.format()),
        }
    }

    /// Makes the group of the product with its attributes.
    fn describe(&mut self, stage: &dyn Group) -> Result<()> {
        if self.described {
            return Ok(());
        }
        self.described = true;
        let group = stage.create_group(&format!("products/{}", self.key))?;
        let kind = match self.format.kind() {
            ProductKind::Scalar if self.format.dtype().is_string() => "string",
            ProductKind::Scalar | ProductKind::Array => "array",
            ProductKind::Flat => "list",
            ProductKind::Jagged => "multi_list",
            ProductKind::Object | ProductKind::Objects => "objects",
        };
        group.attrs().set("kind", kind)?;
        group.attrs().set("scalar", self.format.kind().is_scalar())?;
        if let Some(metadata) = &self.format.metadata {
            group.attrs().set("product_metadata", metadata.as_str())?;
        }
        let Some(class) = self.format.class_name() else { return Ok(()) };
        group.attrs().set("class_name", class)?;
        let variables = group.create_group("variables")?;
        for (i, pool) in self.pools.iter().enumerate() {
            let group = variables.create_group(&format!("pool_{i}"))?;
            group.attrs().set("kind", if pool.text { "string" } else { "array" })?;
            let names: Vec<&str> = pool.fields.iter().map(|(n, _)| n.as_str()).collect();
            group.attrs().set("fields", yaml::list_text(&names))?;
        }
        Ok(())
    }
}

fn ends(offsets: &[u64]) -> Vec<u64> {
    offsets.get(1..).unwrap_or(&[]).to_vec()
}

fn lengths_to_ends(lengths: impl Iterator<Item = usize>) -> Vec<u64> {
    ends(&super::rows::offsets_of(lengths))
}

/// Adds the ends of the events behind a base; a new list of offsets begins with 0.
fn append_offsets(offsets: &mut Growing, stage: &dyn Group, base: u64, ends: Vec<u64>) -> Result<()> {
    let first = (offsets.rows == 0).then_some(0);
    let values: Vec<i64> = first.into_iter().chain(ends.into_iter().map(|e| (base + e) as i64)).collect();
    offsets.append(stage, values.into())?;
    Ok(())
}

/// The compound of the fixed fields with the offsets into the pools, and the pools: one for each type, all texts in one.
fn split_fields(dtype: &DType, variables: &str) -> Result<(DType, Vec<Pool>)> {
    let (mut fixed, mut pools): (Vec<(String, DType)>, Vec<Pool>) = (Vec::new(), Vec::new());
    for field in dtype.fields() {
        let (base, text) = match &field.dtype {
            DType::VarSeq(base) => ((**base).clone(), false),
            DType::VarString { .. } => (DType::U8, true),
            other => {
                fixed.push((field.name.clone(), other.clone()));
                continue;
            }
        };
        let place = (field.name.clone(), field.offset);
        match pools.iter_mut().find(|p| p.text == text && p.values.format.dtype == base) {
            Some(pool) => pool.fields.push(place),
            None => {
                let name = format!("{variables}/pool_{}/values", pools.len());
                pools.push(Pool { fields: vec![place], text, values: Growing::new(name, ElementFormat { dtype: base, width: None }) });
            }
        }
    }
    for (i, pool) in pools.iter().enumerate() {
        fixed.push((format!("_var_offsets_{i}"), DType::array(DType::I64, [pool.fields.len() + 1])));
    }
    Ok((DType::compound(fixed.iter().map(|(n, t)| (n.as_str(), t.clone())))?, pools))
}

/// Writes what has no fixed size to the pools, and gives the rest of the rows with the offsets.
fn split_rows(rows: &AnyArray, fixed: &DType, stage: &dyn Group, pools: &mut [Pool]) -> Result<AnyArray> {
    let mut out = AnyArray::zeros(fixed.clone(), rows.shape().to_vec())?;
    for field in fixed.fields().iter().filter(|f| rows.dtype().fields().iter().any(|g| g.name == f.name)) {
        out.set_field(&field.name, rows.field(&field.name)?)?;
    }
    let (bytes, heap) = rows.raw();
    for (i, pool) in pools.iter_mut().enumerate() {
        let mut offsets: Vec<u8> = Vec::new();
        let mut texts: Vec<u8> = Vec::new();
        let mut sequences = AnyArray::zeros(pool.values.format.dtype.clone(), [0])?;
        let mut at = pool.values.rows;
        for element in bytes.chunks_exact(rows.dtype().itemsize().max(1)) {
            offsets.extend_from_slice(&at.to_ne_bytes());
            for (_, offset) in &pool.fields {
                match heap.and_then(|h| h.get(select::slot_number(element, *offset))) {
                    Some(Item::Str(text)) => {
                        texts.extend_from_slice(text);
                        at += text.len() as u64;
                    }
                    Some(Item::Seq(sequence)) => {
                        sequences.append(sequence)?;
                        at += sequence.len() as u64;
                    }
                    _ => {}
                }
                offsets.extend_from_slice(&at.to_ne_bytes());
            }
        }
        pool.values.append(stage, if pool.text { AnyArray::from(texts) } else { sequences })?;
        let dtype = DType::array(DType::I64, [pool.fields.len() + 1]);
        out.set_field(&format!("_var_offsets_{i}"), AnyArray::from_bytes(dtype, rows.shape().to_vec(), &offsets)?)?;
    }
    Ok(out)
}
