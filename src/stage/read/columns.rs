//! A product of a file as columns: what its references or offsets lead to.

use super::super::format::{DataFormat, ElementFormat, ProductKind};
use super::super::product::{Columns, Product};
use super::super::regions::{Selected, Table};
use super::super::rows::{Ragged, gather};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Context, Result, bail, error};
use crate::tree::{Attributes, AttributesExt, Dataset, DatasetExt, Group, GroupExt, Node};

/// The references of `events` of version 1, read once.
pub(in crate::stage) struct Events {
    table: Table,
}

impl Events {
    pub fn read(group: &dyn Group) -> Result<Self> {
        let table = Table::read(&*group.dataset("events")?)?;
        if table.dtype().fields().is_empty() {
            bail!(Corrupt, "the events have no named fields");
        }
        Ok(Self { table })
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The rows of each event.
    pub fn rows(&self, key: &str, target: &dyn Dataset) -> Result<Selected> {
        let fields = self.table.dtype().fields();
        let Some((number, field)) = fields.iter().enumerate().find(|(_, f)| f.name == key) else {
            bail!(NotFound, "the events have no references to '{key}'");
        };
        if field.dtype != DType::RegionRef {
            bail!(Corrupt, "the events hold {} for '{key}', and not references to regions", field.dtype);
        }
        self.table.column(number, target).with_context(|| (target.name(), "follow the references of the events"))
    }
}

/// A product of version 1: a dataset, or a group of datasets with an index of references.
pub(in crate::stage) fn read_v1(group: &dyn Group, key: &str, events: &Events) -> Result<Product> {
    match group.get(key)? {
        Node::Dataset(dataset) => read_plain(&*dataset, events.rows(key, &*dataset)?),
        Node::Group(product) => read_lists(&*product, key, events),
        other => bail!(Corrupt, "the product '{key}' is a {}", other.kind()),
    }
}

fn read_plain(dataset: &dyn Dataset, selected: Selected) -> Result<Product> {
    let values = dataset.read_array()?;
    let scalar = flag(dataset.attrs(), "scalar")?;
    let class = class_name(dataset.attrs())?;
    let ragged = ragged(values, &selected)?;
    let kind = match (&class, ragged.values.dtype(), scalar) {
        (Some(_), _, true) => ProductKind::Object,
        (Some(_), _, false) => ProductKind::Objects,
        (None, DType::Compound(_), _) => bail!(Corrupt, "the product '{}' holds compounds without a class name", dataset.name()),
        (None, _, true) => ProductKind::Scalar,
        (None, _, false) => ProductKind::Array,
    };
    of_rows(kind, class, ragged)
}

/// A product whose rows are known.
fn of_rows(kind: ProductKind, class: Option<String>, ragged: Ragged) -> Result<Product> {
    let single = ragged.offsets.windows(2).all(|w| w[1] - w[0] == 1);
    if kind.is_scalar() && !single {
        bail!(Corrupt, "an event has not exactly one value of a scalar product");
    }
    let dtype = ragged.values.dtype().clone();
    if let Some(class) = class {
        return Ok(Product::from_parts(DataFormat::of_class(kind, dtype, class), Columns::Rows(ragged)));
    }
    let format = DataFormat::new(kind, vec![element_format(&ragged.values)]);
    let columns = match kind {
        ProductKind::Scalar => Columns::Scalars { values: ragged.values, batch: false },
        _ => Columns::Rows(ragged),
    };
    Ok(Product::from_parts(format, columns))
}

fn element_format(values: &AnyArray) -> ElementFormat {
    ElementFormat { dtype: values.dtype().clone(), width: values.shape().get(1).copied() }
}

fn read_lists(group: &dyn Group, key: &str, events: &Events) -> Result<Product> {
    let index = group.dataset("index")?;
    let selected = events.rows(key, &*index)?;
    let table = Table::read(&*index)?;
    if *table.dtype() != DType::RegionRef {
        bail!(Corrupt, "the index of '{key}' holds {}, and not references to regions", table.dtype());
    }
    match *table.shape() {
        [_] => {
            let dataset = group.dataset("elements")?;
            let arrays = table.column(0, &*dataset).with_context(|| (dataset.name(), "follow the references of the index"))?;
            let elements = ragged(dataset.read_array()?, &arrays)?;
            let format = element_format(&elements.values);
            // The index itself may be read in another order, or in part.
            let (order, starts) = placed(&selected, elements.events());
            let elements = ordered(elements, order.as_ref())?;
            Ok(Product::from_parts(DataFormat::new(ProductKind::Flat, vec![format]), Columns::Lists { elements, events: starts }))
        }
        [_, k] => {
            let (order, starts) = placed(&selected, table.len());
            if starts.windows(2).any(|w| w[1] - w[0] != 1) {
                bail!(Corrupt, "an event has not exactly one row of the index of a jagged list");
            }
            let (mut columns, mut formats) = (Vec::with_capacity(k), Vec::with_capacity(k));
            for at in 0..k {
                let dataset = group.dataset(&format!("element_{at}"))?;
                let arrays = table.column(at, &*dataset).with_context(|| (dataset.name(), "follow the references of the index"))?;
                let rows = ragged(dataset.read_array()?, &arrays)?;
                formats.push(element_format(&rows.values));
                columns.push(ordered(rows, order.as_ref())?);
            }
            if k == 0 {
                bail!(Corrupt, "the index of a jagged list has no columns");
            }
            Ok(Product::from_parts(DataFormat::new(ProductKind::Jagged, formats), Columns::Jagged(columns)))
        }
        _ => bail!(Corrupt, "the index of '{key}' has the shape {:?}", table.shape()),
    }
}

/// The rows of an index that events select, unless it is all of them in their order; and where those of each event begin.
fn placed(selected: &Selected, rows: usize) -> (Option<Vec<usize>>, Vec<u64>) {
    let order = (!selected.is_in_order(rows)).then(|| selected.ranges.iter().flat_map(|(a, b)| *a as usize..*b as usize).collect());
    (order, selected.offsets())
}

/// The arrays in the order in which the events have them.
fn ordered(arrays: Ragged, order: Option<&Vec<usize>>) -> Result<Ragged> {
    order.map_or_else(|| Ok(arrays.clone()), |order| arrays.select(order))
}

/// The rows that references select, behind each other. Rows that follow each other in the file are not copied.
fn ragged(values: AnyArray, selected: &Selected) -> Result<Ragged> {
    let rows = values.shape().first().copied().unwrap_or(0);
    let whole = selected.is_in_order(rows);
    Ok(Ragged { values: if whole { values } else { gather(&values, &selected.ranges)? }, offsets: selected.offsets() })
}

/// A product of version 2: values and offsets.
///
/// With `fixed_only` the fields of objects that have no fixed size are left out.
pub(in crate::stage) fn read_v2(group: &dyn Group, key: &str, events: usize, fixed_only: bool) -> Result<Product> {
    let product = group.group(key)?;
    let kind: String = product.attrs().get("kind").map_err(|e| error!(Corrupt, "the product '{key}' does not say its kind").because(e))?;
    let scalar = if product.attrs().contains("scalar")? { flag(product.attrs(), "scalar")? } else { false };
    let part = |name: &str| -> Result<Ragged> {
        let values = product.dataset(&format!("{name}values"))?.read_array()?;
        cut(values, offsets(&*product, &format!("{name}event_offsets"), Some(events))?)
    };
    match kind.as_str() {
        "array" => of_rows(if scalar { ProductKind::Scalar } else { ProductKind::Array }, None, part("")?),
        "string" => {
            let bytes = part("")?;
            let (raw, spans) = (bytes.values.view::<u8>()?, super::super::rows::spans(&bytes.offsets));
            let Some(raw) = raw.as_slice() else { bail!(Corrupt, "the bytes of '{key}' are not in a row") };
            let text = |(a, b): (u64, u64)| {
                let bytes = raw.get(a as usize..b as usize).unwrap_or(&[]);
                std::str::from_utf8(bytes).map_err(|_| error!(Corrupt, "a text of '{key}' is not UTF-8"))
            };
            Product::scalars(AnyArray::from_strings(spans.map(text).collect::<Result<Vec<_>>>()?))
        }
        "list" => {
            let starts = offsets(&*product, "event_offsets", Some(events))?;
            let elements = cut(product.dataset("values")?.read_array()?, offsets(&*product, "element_offsets", None)?)?;
            let (first, last) = (starts.first().copied().unwrap_or(0), starts.last().copied().unwrap_or(0));
            if last > elements.events() as u64 {
                bail!(Corrupt, "the events of '{key}' have {last} arrays, and there are {}", elements.events());
            }
            let format = element_format(&elements.values);
            let whole = first == 0 && last == elements.events() as u64;
            let elements = if whole { elements } else { elements.select(&(first as usize..last as usize).collect::<Vec<_>>())? };
            let starts = starts.iter().map(|s| s - first).collect();
            Ok(Product::from_parts(DataFormat::new(ProductKind::Flat, vec![format]), Columns::Lists { elements, events: starts }))
        }
        "multi_list" => {
            let mut columns = Vec::new();
            while product.contains(&format!("element_{}", columns.len()))? {
                columns.push(part(&format!("element_{}/", columns.len()))?);
            }
            if columns.is_empty() {
                bail!(Corrupt, "the list '{key}' has no elements");
            }
            let formats = columns.iter().map(|c| element_format(&c.values)).collect();
            Ok(Product::from_parts(DataFormat::new(ProductKind::Jagged, formats), Columns::Jagged(columns)))
        }
        "objects" => {
            let Some(class) = class_name(product.attrs())? else { bail!(Corrupt, "the objects '{key}' have no class name") };
            let rows = super::pools::join(&*product, fixed_only)?;
            let kind = if scalar { ProductKind::Object } else { ProductKind::Objects };
            of_rows(kind, Some(class), cut(rows, offsets(&*product, "event_offsets", Some(events))?)?)
        }
        other => Err(error!(Unsupported, "the product '{key}' is of the kind '{other}'")
            .remedy("the kinds are array, string, list, multi_list and objects")),
    }
}

/// Offsets as they are stored, checked: rising, one more than events.
fn offsets(group: &dyn Group, name: &str, events: Option<usize>) -> Result<Vec<u64>> {
    let dataset = group.dataset(name)?;
    let stored = dataset.read::<i64>()?;
    let offsets: Vec<u64> = stored.iter().map(|n| u64::try_from(*n).unwrap_or(u64::MAX)).collect();
    let rising = offsets.windows(2).all(|w| w[0] <= w[1]) && offsets.last() != Some(&u64::MAX);
    if offsets.is_empty() || !rising || events.is_some_and(|n| offsets.len() != n + 1) {
        bail!(Corrupt, "the {} offsets of '{}' do not rise from event to event", offsets.len(), dataset.name());
    }
    Ok(offsets)
}

/// The rows of offsets; what is before the first and behind the last is left out.
fn cut(values: AnyArray, offsets: Vec<u64>) -> Result<Ragged> {
    let rows = values.shape().first().copied().unwrap_or(0) as u64;
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { bail!(Corrupt, "there are no offsets") };
    if last > rows {
        bail!(Corrupt, "the offsets lead to row {last} of {rows}");
    }
    if first == 0 && last == rows {
        return Ok(Ragged { values, offsets });
    }
    Ok(Ragged { values: gather(&values, &[(first, last)])?, offsets: offsets.iter().map(|o| o - first).collect() })
}

fn flag(attrs: &dyn Attributes, name: &str) -> Result<bool> {
    let value = attrs.get_array(name)?.ok_or_else(|| error!(Corrupt, "the product has no attribute '{name}'").at(attrs.attr_owner()))?;
    let first = value.element(0);
    first
        .and_then(|e| e.as_bool().or_else(|| e.as_f64().map(|v| v != 0.0)))
        .ok_or_else(|| error!(Corrupt, "the attribute '{name}' is {value} and neither true nor false").at(attrs.attr_owner()))
}

fn class_name(attrs: &dyn Attributes) -> Result<Option<String>> {
    if !attrs.contains("class_name")? {
        return Ok(None);
    }
    attrs.get::<String>("class_name").map(Some).map_err(|e| error!(Corrupt, "the class name is no text").at(attrs.attr_owner()).because(e))
}
