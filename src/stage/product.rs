//! Products: one value per event, held as columns.

use super::format::{DataFormat, ElementFormat, ProductKind};
use super::rows::{self, Ragged, check_elements, offsets_of};
use crate::array::{AnyArray, IntoArray};
use crate::dtype::DType;
use crate::error::{Result, bail, error};

/// One value per event of one kind: what a batch holds under a name, and what a reader gives back.
///
/// In spine it is the list (or array, or single scalar) behind a key of the batch. Here the values of all events lie in columns, so that
/// writing and reading them are single calls: [`values`](Product::values) with [`offsets`](Product::offsets), and [`event`](Product::event)
/// for one of them.
///
/// ```
/// use memh5::stage::Product;
/// use ndarray::array;
/// let hits = Product::arrays([array![[1.0, 2.0]], array![[3.0, 4.0], [5.0, 6.0]]])?;
/// assert_eq!(hits.events(), Some(2));
/// assert_eq!(hits.offsets(), [0, 1, 3]);
/// assert_eq!(hits.values().unwrap().shape(), [3, 2]);
/// let clusters = Product::lists(vec![vec![array![1, 2], array![3]], vec![]])?;
/// assert_eq!(clusters.format().to_string(), "flat of <i4");
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Product {
    pub(super) format: DataFormat,
    columns: Columns,
    /// What belongs to it, by name: each with one value per event.
    pub(super) parts: Vec<(String, Product)>,
}

/// Where the values are.
#[derive(Debug, Clone)]
pub(crate) enum Columns {
    /// One element per event, or one for the whole batch.
    Scalars { values: AnyArray, batch: bool },
    /// The rows of arrays, or objects.
    Rows(Ragged),
    /// The rows of all arrays, the arrays of each event.
    Lists { elements: Ragged, events: Vec<u64> },
    /// For each place in the list, the rows of each event.
    Jagged(Vec<Ragged>),
}

/// The value of one event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventValue {
    /// A number or a text: an array without axes.
    Scalar(AnyArray),
    /// An array of one or two axes.
    Array(AnyArray),
    /// A list of arrays.
    List(Vec<AnyArray>),
    /// One object: a compound without axes.
    Object(AnyArray),
    /// A list of objects: a compound of one axis.
    Objects(AnyArray),
}

impl Product {
    /// One number or text for the whole batch: it is stored once per event, as in spine.
    ///
    /// # Errors
    /// `Shape` if it has axes, `Dtype` for a type that is neither a number nor text.
    pub fn scalar(value: impl IntoArray) -> Result<Self> {
        let value = value.into_array()?;
        if !value.is_scalar() {
            bail!(Shape, "one value for the batch has no axes, and this has the shape {:?}", value.shape());
        }
        Self::of_scalars(value.reshape(&[1])?, true)
    }

    /// One number or text per event: an array of one axis.
    ///
    /// # Errors
    /// `Shape` unless it has one axis, `Dtype` for a type that is neither a number nor text.
    pub fn scalars(values: impl IntoArray) -> Result<Self> {
        let values = values.into_array()?;
        if values.ndim() != 1 || values.is_null() {
            bail!(Shape, "one value per event is an array of one axis, and this has the shape {:?}", values.shape());
        }
        Self::of_scalars(values, false)
    }

    fn of_scalars(values: AnyArray, batch: bool) -> Result<Self> {
        let values = if values.dtype().is_string() {
            if *values.dtype() == DType::STR { values } else { AnyArray::from_strings(values.to_strings()?).reshape(values.shape())? }
        } else {
            match values.dtype() {
                d if d.is_numeric() => values,
                DType::Enum(_) => values,
                DType::Compound(_) => {
                    return Err(error!(Dtype, "a compound cannot be a scalar product, which has no class name")
                        .remedy("put it with Product::object"));
                }
                other => bail!(Dtype, "a value of type {other} cannot be a product"),
            }
        };
        let format = DataFormat::new(ProductKind::Scalar, vec![ElementFormat { dtype: values.dtype().clone(), width: None }]);
        Ok(Self::from_parts(format, Columns::Scalars { values, batch }))
    }

    /// One array per event, of one axis (spine's vector) or two (tensor); the first decides type and width.
    ///
    /// # Errors
    /// `Shape` if one has another number of axes or another width, or there is none at all; `Dtype` if one has another type.
    pub fn arrays<A: IntoArray>(arrays: impl IntoIterator<Item = A>) -> Result<Self> {
        let arrays: Vec<AnyArray> = arrays.into_iter().map(IntoArray::into_array).collect::<Result<_>>()?;
        let Some(first) = arrays.first() else { return Err(no_type("arrays")) };
        let format = rows::format_of(first)?;
        let columns = Columns::Rows(rows::concat(&format, arrays.iter())?);
        Ok(Self::from_parts(DataFormat::new(ProductKind::Array, vec![format]), columns))
    }

    /// The same as [`arrays`](Product::arrays), from the rows of all events and the number of rows of each: nothing is copied.
    ///
    /// ```
    /// let p = memh5::stage::Product::rows(ndarray::array![[1.0, 2.0], [3.0, 4.0]], &[0, 2])?;
    /// assert_eq!(p.offsets(), [0, 0, 2]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` if the lengths do not sum up, `Dtype`.
    pub fn rows(values: impl IntoArray, lengths: &[usize]) -> Result<Self> {
        let values = values.into_array()?;
        let format = rows::format_of(&values)?;
        let columns = Columns::Rows(Ragged::checked(values, lengths)?);
        Ok(Self::from_parts(DataFormat::new(ProductKind::Array, vec![format]), columns))
    }

    /// A list of arrays per event. It is stored flat if all arrays have one width, else jagged: then every event has as many arrays, and
    /// each place in the list has a width of its own.
    ///
    /// # Errors
    /// `Shape` if they fit neither, or there is no array in any list ([`flat`](Product::flat) and [`jagged`](Product::jagged) take the type
    /// then); `Dtype` if types differ.
    pub fn lists<A: IntoArray>(lists: impl IntoIterator<Item = Vec<A>>) -> Result<Self> {
        let lists = arrays_of(lists)?;
        let Some(first) = lists.iter().flatten().next() else { return Err(no_type("lists of arrays")) };
        let format = rows::format_of(first)?;
        let same_width = lists.iter().flatten().all(|a| rows::format_of(a).is_ok_and(|f| f.width == format.width));
        if same_width { Self::flat_of(&format, &lists) } else { Self::jagged_of(&lists) }
    }

    /// A list of any number of arrays per event, each of that type and with rows of that width (`None`: arrays of one axis).
    ///
    /// # Errors
    /// `Shape` or `Dtype` if an array does not fit.
    pub fn flat<A: IntoArray>(dtype: DType, width: Option<usize>, lists: impl IntoIterator<Item = Vec<A>>) -> Result<Self> {
        check_elements(&dtype)?;
        Self::flat_of(&ElementFormat { dtype, width }, &arrays_of(lists)?)
    }

    fn flat_of(format: &ElementFormat, lists: &[Vec<AnyArray>]) -> Result<Self> {
        let all: Vec<&AnyArray> = lists.iter().flatten().collect();
        let elements = rows::concat(format, all.into_iter())?;
        let events = offsets_of(lists.iter().map(Vec::len));
        Ok(Self::from_parts(DataFormat::new(ProductKind::Flat, vec![format.clone()]), Columns::Lists { elements, events }))
    }

    /// The same as [`flat`](Product::flat), from the rows of all arrays, the number of rows of each, and the number of arrays of each event.
    ///
    /// # Errors
    /// `Shape` if the numbers do not sum up, `Dtype`.
    pub fn flat_rows(values: impl IntoArray, lengths: &[usize], arrays: &[usize]) -> Result<Self> {
        let values = values.into_array()?;
        let format = rows::format_of(&values)?;
        let (elements, events) = (Ragged::checked(values, lengths)?, offsets_of(arrays.iter().copied()));
        if events.last().copied() != Some(lengths.len() as u64) {
            bail!(Shape, "the events have {} arrays, and there are {}", events.last().copied().unwrap_or(0), lengths.len());
        }
        Ok(Self::from_parts(DataFormat::new(ProductKind::Flat, vec![format]), Columns::Lists { elements, events }))
    }

    /// A list of k arrays per event, each place in the list with a width of its own; the first event decides.
    ///
    /// # Errors
    /// `Shape` if an event has another number of arrays, a width differs, or there is no event; `Dtype` if a type differs.
    pub fn jagged<A: IntoArray>(lists: impl IntoIterator<Item = Vec<A>>) -> Result<Self> {
        Self::jagged_of(&arrays_of(lists)?)
    }

    fn jagged_of(lists: &[Vec<AnyArray>]) -> Result<Self> {
        let Some(first) = lists.first().filter(|l| !l.is_empty()) else { return Err(no_type("jagged lists")) };
        let formats = first.iter().map(rows::format_of).collect::<Result<Vec<_>>>()?;
        if let Some((event, list)) = lists.iter().enumerate().find(|(_, l)| l.len() != formats.len()) {
            bail!(
                Shape,
                "event {event} has a list of {} arrays, and the first has {}: their widths differ, so every list has as many",
                list.len(),
                formats.len()
            );
        }
        let mut columns = Vec::with_capacity(formats.len());
        for (at, format) in formats.iter().enumerate() {
            let column: Vec<&AnyArray> = lists.iter().filter_map(|l| l.get(at)).collect();
            columns.push(rows::concat(format, column.into_iter())?);
        }
        Ok(Self::from_parts(DataFormat::new(ProductKind::Jagged, formats), Columns::Jagged(columns)))
    }

    /// One object per event, from Rust structs: its fields are those that [`AnyArray::from_rows`] infers. The class name is what spine
    /// builds from the fields when it reads; a name that spine does not know makes the product unreadable for spine.
    ///
    /// # Errors
    /// `Dtype`, with event and field, for a value without a dtype.
    pub fn object<T: serde::Serialize>(class_name: &str, objects: &[T]) -> Result<Self> {
        Self::object_rows(class_name, AnyArray::from_rows(objects)?)
    }

    /// A list of objects per event, from Rust structs.
    ///
    /// # Errors
    /// `Dtype`, with the place and the field, for a value without a dtype, and if there is no object at all
    /// ([`objects_rows`](Product::objects_rows) takes an empty array with its type).
    pub fn objects<T: serde::Serialize>(class_name: &str, lists: &[Vec<T>]) -> Result<Self> {
        let all: Vec<&T> = lists.iter().flatten().collect();
        let lengths: Vec<usize> = lists.iter().map(Vec::len).collect();
        Self::objects_rows(class_name, AnyArray::from_rows(&all)?, &lengths)
    }

    /// One object per event, from structs that derive `H5Type`.
    ///
    /// # Errors
    /// `Dtype` if the type has no counterpart.
    #[cfg(feature = "hdf5")]
    pub fn object_h5<T: hdf5::H5Type>(class_name: &str, objects: &[T]) -> Result<Self> {
        Self::object_rows(class_name, AnyArray::from_h5(objects)?)
    }

    /// A list of objects per event, from structs that derive `H5Type`: those of all events, and the number of each.
    ///
    /// # Errors
    /// `Shape` if the lengths do not sum up, `Dtype`.
    #[cfg(feature = "hdf5")]
    pub fn objects_h5<T: hdf5::H5Type>(class_name: &str, objects: &[T], lengths: &[usize]) -> Result<Self> {
        Self::objects_rows(class_name, AnyArray::from_h5(objects)?, lengths)
    }

    /// One object per event, from an array of compounds: of any dtype, enumerations included.
    ///
    /// # Errors
    /// `Dtype` if they are no compounds, or a field has a type that objects cannot have; `Shape` unless there is one axis.
    pub fn object_rows(class_name: &str, rows: AnyArray) -> Result<Self> {
        let lengths = vec![1; rows.len()];
        Self::of_objects(ProductKind::Object, class_name, rows, &lengths)
    }

    /// A list of objects per event, from the compounds of all events and the number of each event.
    ///
    /// # Errors
    /// As [`object_rows`](Product::object_rows), and `Shape` if the lengths do not sum up.
    pub fn objects_rows(class_name: &str, rows: AnyArray, lengths: &[usize]) -> Result<Self> {
        Self::of_objects(ProductKind::Objects, class_name, rows, lengths)
    }

    fn of_objects(kind: ProductKind, class_name: &str, rows: AnyArray, lengths: &[usize]) -> Result<Self> {
        if class_name.is_empty() || class_name.contains('\0') {
            bail!(InvalidName, "{class_name:?} cannot be the name of a class");
        }
        if rows.ndim() != 1 || rows.is_null() {
            bail!(Shape, "objects are an array of one axis, and this has the shape {:?}", rows.shape());
        }
        let rows = super::objects::packed(rows)?;
        rows.check_storable()?;
        let format = DataFormat::of_class(kind, rows.dtype().clone(), class_name.to_owned());
        Ok(Self::from_parts(format, Columns::Rows(Ragged::checked(rows, lengths)?)))
    }

    /// The objects without some of their fields: what spine's `lite` leaves out. Anything else stays as it is.
    ///
    /// # Errors
    /// `Dtype` if no field would be left.
    pub fn without_fields(&self, fields: &[&str]) -> Result<Self> {
        let (Some(class), Columns::Rows(ragged)) = (self.format.class_name(), &self.columns) else { return Ok(self.clone()) };
        let values = super::objects::without(&ragged.values, fields)?;
        let format = DataFormat::of_class(self.format.kind(), values.dtype().clone(), class.to_owned()).typed_as(&self.format);
        let columns = Columns::Rows(Ragged { values, offsets: ragged.offsets.clone() });
        Ok(Self { format, columns, parts: self.parts.clone() })
    }

    pub(crate) fn from_parts(format: DataFormat, columns: Columns) -> Self {
        Self { format, columns, parts: Vec::new() }
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The events of several products of one format, one behind the other.
    ///
    /// # Errors
    /// `Dtype` or `Shape` if the formats differ, or one is a value for a whole batch; `InvalidArgument` if there is none.
    pub fn concat(products: &[Product]) -> Result<Self> {
        let [first, rest @ ..] = products else { bail!(InvalidArgument, "no products at all have no format") };
        let mut out = first.clone();
        for next in rest {
            first.format.expect(&next.format)?;
            match (&mut out.columns, &next.columns) {
                (Columns::Scalars { values, batch: false }, Columns::Scalars { values: more, batch: false }) => values.append(more)?,
                (Columns::Rows(rows), Columns::Rows(more)) => rows.append(more)?,
                (Columns::Lists { elements, events }, Columns::Lists { elements: more, events: starts }) => {
                    elements.append(more)?;
                    rows::append_offsets(events, starts);
                }
                (Columns::Jagged(columns), Columns::Jagged(more)) => columns.iter_mut().zip(more).try_for_each(|(c, m)| c.append(m))?,
                _ => bail!(Shape, "one value for a whole batch cannot be put behind other events"),
            }
            for ((_, part), (_, more)) in out.parts.iter_mut().zip(&next.parts) {
                *part = Self::concat(&[part.clone(), more.clone()])?;
            }
        }
        Ok(out)
    }

    /// The same with one value per event, where it is one for the batch.
    pub(crate) fn for_events(&self, events: usize) -> Result<Self> {
        let columns = match &self.columns {
            Columns::Scalars { values, batch: true } => {
                Columns::Scalars { values: super::v1::per_event(values, true, events)?, batch: false }
            }
            columns => columns.clone(),
        };
        let parts = self.parts.iter().map(|(n, p)| Ok((n.clone(), p.for_events(events)?))).collect::<Result<_>>()?;
        Ok(Self { format: self.format.clone(), columns, parts })
    }

    /// How it is stored.
    pub fn format(&self) -> &DataFormat {
        &self.format
    }

    /// The number of events; `None` for one value for the whole batch.
    pub fn events(&self) -> Option<usize> {
        match &self.columns {
            Columns::Scalars { batch: true, .. } => None,
            Columns::Scalars { values, .. } => Some(values.len()),
            Columns::Rows(r) => Some(r.events()),
            Columns::Lists { events, .. } => Some(events.len().saturating_sub(1)),
            Columns::Jagged(columns) => Some(columns.first().map_or(0, Ragged::events)),
        }
    }

    /// The values of all events: scalars, rows of arrays, the rows of all arrays of flat lists, objects. `None` for a jagged list, which has
    /// [`columns_of`](Product::columns_of).
    pub fn values(&self) -> Option<&AnyArray> {
        match &self.columns {
            Columns::Scalars { values, .. } => Some(values),
            Columns::Rows(r) => Some(&r.values),
            Columns::Lists { elements, .. } => Some(&elements.values),
            Columns::Jagged(_) => None,
        }
    }

    /// Where the values of each event begin, with the end behind the last: event i has the rows `offsets[i]..offsets[i + 1]`, of a flat list
    /// the arrays of these numbers. Empty for scalars, where event i has value i, and for jagged lists.
    pub fn offsets(&self) -> &[u64] {
        match &self.columns {
            Columns::Rows(r) => &r.offsets,
            Columns::Lists { events, .. } => events,
            Columns::Scalars { .. } | Columns::Jagged(_) => &[],
        }
    }

    /// Of flat lists, where the rows of each array begin, with the end behind the last; else empty.
    pub fn element_offsets(&self) -> &[u64] {
        match &self.columns {
            Columns::Lists { elements, .. } => &elements.offsets,
            _ => &[],
        }
    }

    /// Of jagged lists, for each place in the list the rows of all events and where those of each event begin; else none.
    pub fn columns_of(&self) -> Vec<(&AnyArray, &[u64])> {
        match &self.columns {
            Columns::Jagged(columns) => columns.iter().map(|r| (&r.values, &r.offsets[..])).collect(),
            _ => Vec::new(),
        }
    }

    /// The value of an event.
    ///
    /// # Errors
    /// `Selection` if there is no such event.
    pub fn event(&self, event: usize) -> Result<EventValue> {
        let events = self.events();
        if events.is_some_and(|n| event >= n) {
            bail!(Selection, "there is no event {event} among {}", events.unwrap_or(0));
        }
        let single = |values: &AnyArray, at: usize| values.select(at as i64);
        Ok(match &self.columns {
            Columns::Scalars { values, batch } => EventValue::Scalar(single(values, if *batch { 0 } else { event })?),
            Columns::Rows(r) => match self.format.kind() {
                ProductKind::Object => {
                    let (from, to) = r.span(event);
                    if to != from + 1 {
                        bail!(Corrupt, "event {event} has {} objects instead of one", to.saturating_sub(from));
                    }
                    EventValue::Object(single(&r.values, from as usize)?)
                }
                ProductKind::Objects => EventValue::Objects(r.event(event)?),
                _ => EventValue::Array(r.event(event)?),
            },
            Columns::Lists { elements, events } => {
                let (from, to) = rows::spans(events).nth(event).unwrap_or((0, 0));
                EventValue::List((from..to).map(|at| elements.event(at as usize)).collect::<Result<_>>()?)
            }
            Columns::Jagged(columns) => EventValue::List(columns.iter().map(|r| r.event(event)).collect::<Result<_>>()?),
        })
    }

    /// The events of these numbers, in their order. One value for the batch stays that.
    ///
    /// # Errors
    /// `Selection` if there is no such event.
    pub fn select(&self, events: &[usize]) -> Result<Self> {
        if let Some(n) = self.events()
            && let Some(bad) = events.iter().find(|e| **e >= n)
        {
            bail!(Selection, "there is no event {bad} among {n}");
        }
        let columns = match &self.columns {
            Columns::Scalars { batch: true, .. } => self.columns.clone(),
            Columns::Scalars { values, .. } => {
                let ranges: Vec<(u64, u64)> = events.iter().map(|e| (*e as u64, *e as u64 + 1)).collect();
                Columns::Scalars { values: rows::gather(values, &ranges)?, batch: false }
            }
            Columns::Rows(r) => Columns::Rows(r.select(events)?),
            Columns::Lists { elements, events: starts } => {
                let spans: Vec<(u64, u64)> = rows::spans(starts).collect();
                let chosen: Vec<(u64, u64)> = events.iter().filter_map(|e| spans.get(*e).copied()).collect();
                let arrays: Vec<usize> = chosen.iter().flat_map(|(a, b)| *a as usize..*b as usize).collect();
                Columns::Lists { elements: elements.select(&arrays)?, events: offsets_of(chosen.iter().map(|(a, b)| (b - a) as usize)) }
            }
            Columns::Jagged(columns) => Columns::Jagged(columns.iter().map(|r| r.select(events)).collect::<Result<_>>()?),
        };
        let parts = self.parts.iter().map(|(n, p)| Ok((n.clone(), p.select(events)?))).collect::<Result<_>>()?;
        Ok(Self { format: self.format.clone(), columns, parts })
    }
}

fn arrays_of<A: IntoArray>(lists: impl IntoIterator<Item = Vec<A>>) -> Result<Vec<Vec<AnyArray>>> {
    lists.into_iter().map(|l| l.into_iter().map(IntoArray::into_array).collect()).collect()
}

fn no_type(what: &str) -> crate::Error {
    error!(Shape, "no {what} at all do not tell their type")
        .remedy("give the type: with Product::flat, or an empty array of rows with Product::rows")
}
