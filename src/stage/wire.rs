//! Batches as bytes, for ranks of one program: a header as JSON, then the arrays.

use super::batch::Batch;
use super::format::{DataFormat, ElementFormat, ProductKind};
use super::product::{Columns, Product};
use super::rows::Ragged;
use super::v1::per_event;
use crate::array::{AnyArray, Arena, Item, select};
use crate::dtype::DType;
use crate::dtype::layout::{Layout, SlotKind};
use crate::error::{Result, bail, error};
use serde_json::{Value, json};

/// The bytes of a batch; one value for the batch becomes one per event.
pub(super) fn encode(batch: &Batch) -> Result<Vec<u8>> {
    let (mut headers, mut body) = (Vec::new(), Vec::new());
    for (key, product) in batch.products() {
        headers.push(encode_product(key, product, batch.events(), &mut body)?);
    }
    let header = json!({"events": batch.events(), "products": headers}).to_string();
    let mut out = (header.len() as u64).to_ne_bytes().to_vec();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

fn encode_product(key: &str, product: &Product, events: usize, body: &mut Vec<u8>) -> Result<Value> {
    let format = product.format();
    let mut arrays = Vec::new();
    match product.columns() {
        Columns::Scalars { values, batch: whole } => arrays.push(array(&per_event(values, *whole, events)?, body)),
        Columns::Rows(rows) => ragged(rows, &mut arrays, body),
        Columns::Lists { elements, events } => {
            ragged(elements, &mut arrays, body);
            arrays.push(numbers(events, body));
        }
        Columns::Jagged(columns) => columns.iter().for_each(|c| ragged(c, &mut arrays, body)),
    }
    let parts = product.parts().map(|(name, part)| encode_product(name, part, events, body)).collect::<Result<Vec<_>>>()?;
    let (kind, class) = (format.kind().as_str(), format.class_name());
    Ok(json!({"key": key, "kind": kind, "class": class, "arrays": arrays, "metadata": format.metadata, "parts": parts}))
}

fn ragged(rows: &Ragged, arrays: &mut Vec<Value>, body: &mut Vec<u8>) {
    arrays.push(array(&rows.values, body));
    arrays.push(numbers(&rows.offsets, body));
}

fn numbers(values: &[u64], body: &mut Vec<u8>) -> Value {
    values.iter().for_each(|v| body.extend_from_slice(&v.to_ne_bytes()));
    json!({"dtype": DType::U64.to_string(), "shape": [values.len()]})
}

/// Adds the elements, then what their slots hold, and gives what is needed to read them.
fn array(array: &AnyArray, body: &mut Vec<u8>) -> Value {
    let (bytes, heap) = array.raw();
    body.extend_from_slice(bytes);
    if let Some(heap) = heap {
        let layout = Layout::of(array.dtype());
        for element in bytes.chunks_exact(layout.itemsize.max(1)) {
            for slot in &layout.slots {
                let part: &[u8] = match heap.get(select::slot_number(element, slot.offset)) {
                    Some(Item::Str(text)) => text,
                    Some(Item::Seq(sequence)) => sequence.as_bytes().unwrap_or(&[]),
                    _ => &[],
                };
                body.extend_from_slice(&(part.len() as u64).to_ne_bytes());
                body.extend_from_slice(part);
            }
        }
    }
    json!({"dtype": array.dtype().to_string(), "shape": array.shape()})
}

/// The batch of such bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Batch> {
    let mut reader = Reader { rest: bytes };
    let length = reader.number()?;
    let header: Value =
        serde_json::from_slice(reader.take(length)?).map_err(|e| error!(Corrupt, "the message of a rank cannot be read").because(e))?;
    let broken = || error!(Corrupt, "the message of a rank is not a batch");
    let events = header["events"].as_u64().ok_or_else(broken)? as usize;
    let mut batch = Batch::new(events);
    batch.remove(super::INDEX);
    for product in header["products"].as_array().ok_or_else(broken)? {
        let (key, product) = decode_product(product, &mut reader)?;
        batch.put(&key, product)?;
    }
    Ok(batch)
}

fn decode_product(product: &Value, reader: &mut Reader<'_>) -> Result<(String, Product)> {
    let broken = || error!(Corrupt, "the message of a rank is not a batch");
    let key = product["key"].as_str().ok_or_else(broken)?;
    let arrays = product["arrays"].as_array().ok_or_else(broken)?;
    let mut arrays = arrays.iter().map(|a| reader.array(a)).collect::<Result<Vec<_>>>()?.into_iter();
    let kind = [ProductKind::Scalar, ProductKind::Array, ProductKind::Flat, ProductKind::Jagged, ProductKind::Object, ProductKind::Objects]
        .into_iter()
        .find(|k| product["kind"].as_str() == Some(k.as_str()))
        .ok_or_else(broken)?;
    let mut next = || -> Result<Ragged> {
        let (values, offsets) = (arrays.next().ok_or_else(broken)?, arrays.next().ok_or_else(broken)?);
        Ok(Ragged { values, offsets: offsets.view::<u64>()?.iter().copied().collect() })
    };
    let columns = match kind {
        ProductKind::Scalar => Columns::Scalars { values: arrays.next().ok_or_else(broken)?, batch: false },
        ProductKind::Flat => {
            let elements = next()?;
            let starts = arrays.next().ok_or_else(broken)?;
            Columns::Lists { elements, events: starts.view::<u64>()?.iter().copied().collect() }
        }
        ProductKind::Jagged => {
            let mut columns = Vec::new();
            while let Some(values) = arrays.next() {
                let offsets = arrays.next().ok_or_else(broken)?;
                columns.push(Ragged { values, offsets: offsets.view::<u64>()?.iter().copied().collect() });
            }
            Columns::Jagged(columns)
        }
        _ => Columns::Rows(next()?),
    };
    let element = |a: &AnyArray| ElementFormat { dtype: a.dtype().clone(), width: a.shape().get(1).copied() };
    let elements: Vec<ElementFormat> = match &columns {
        Columns::Scalars { values, .. } => vec![element(values)],
        Columns::Rows(rows) => vec![element(&rows.values)],
        Columns::Lists { elements, .. } => vec![element(&elements.values)],
        Columns::Jagged(columns) => columns.iter().map(|c| element(&c.values)).collect(),
    };
    let format = match (product["class"].as_str(), elements.first()) {
        (Some(class), Some(first)) => DataFormat::of_class(kind, first.dtype.clone(), class.to_owned()),
        _ => DataFormat::new(kind, elements),
    };
    let mut out = Product::from_parts(format, columns);
    // They are what they were before.
    out.format.metadata = product["metadata"].as_str().map(str::to_owned);
    for part in product["parts"].as_array().ok_or_else(broken)? {
        let (name, part) = decode_product(part, reader)?;
        out = out.with_part(&name, part)?;
    }
    Ok((key.to_owned(), out))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(length) {
            Some((part, rest)) => {
                self.rest = rest;
                Ok(part)
            }
            None => bail!(Corrupt, "the message of a rank ends too early"),
        }
    }

    fn number(&mut self) -> Result<usize> {
        let mut raw = [0; 8];
        raw.copy_from_slice(self.take(8)?);
        usize::try_from(u64::from_ne_bytes(raw)).map_err(|_| error!(Corrupt, "the message of a rank tells a length that cannot be"))
    }

    fn array(&mut self, header: &Value) -> Result<AnyArray> {
        let broken = || error!(Corrupt, "the message of a rank describes no array");
        let dtype: DType = header["dtype"].as_str().ok_or_else(broken)?.parse()?;
        let shape: Vec<usize> = serde_json::from_value(header["shape"].clone()).map_err(|e| broken().because(e))?;
        let bytes = self.take(crate::array::byte_len(&shape, dtype.itemsize())?)?;
        if dtype.is_plain() {
            return AnyArray::from_bytes(dtype, shape, bytes);
        }
        let (layout, heap, mut bytes) = (Layout::of(&dtype), Arena::default(), bytes.to_vec());
        for element in bytes.chunks_exact_mut(layout.itemsize.max(1)) {
            for slot in &layout.slots {
                let length = self.number()?;
                let part = self.take(length)?;
                let item = match &slot.kind {
                    _ if part.is_empty() => None,
                    SlotKind::Str => Some(Item::Str(part.into())),
                    SlotKind::Seq(base) => {
                        Some(Item::Seq(Box::new(AnyArray::from_bytes(base.clone(), [part.len() / base.itemsize().max(1)], part)?)))
                    }
                    _ => return Err(broken()),
                };
                select::set_slot(element, slot.offset, item.map_or(0, |i| heap.push(i)));
            }
        }
        AnyArray::with_slots(dtype, heap, bytes).reshape(&shape)
    }
}
