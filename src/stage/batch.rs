//! A batch: named products, one value per event.

use super::into_product::IntoProduct;
use super::product::Product;
use crate::error::{Context, Result, bail, error};

/// The position of the event in the run of the loader; every stage has it.
pub const INDEX: &str = "index";
/// The base name of the file that an event comes from.
pub const SOURCE_FILE_NAME: &str = "source_file_name";
/// The size of that file in bytes; -1 if it is remote.
pub const SOURCE_FILE_SIZE: &str = "source_file_size";
/// The time of its last change in nanoseconds; -1 if it is remote.
pub const SOURCE_FILE_MTIME_NS: &str = "source_file_mtime_ns";
/// The number of the event's file in the loader's list.
pub const FILE_INDEX: &str = "file_index";
/// The number of the event in its file.
pub const FILE_ENTRY_INDEX: &str = "file_entry_index";
/// [`FILE_INDEX`] of the source.
pub const SOURCE_FILE_INDEX: &str = "source_file_index";
/// [`FILE_ENTRY_INDEX`] of the source.
pub const SOURCE_FILE_ENTRY_INDEX: &str = "source_file_entry_index";

/// Named products of some events: in spine the dictionary that is passed to the writer.
///
/// A new batch has the product [`index`](INDEX) with 0, 1, ..; every other is put in. Names keep the order in which they are put, which
/// is the order in a cache.
///
/// ```
/// use memh5::stage::{Batch, SourceInfo};
/// use ndarray::array;
/// let batch = Batch::new(2)
///     .with_source(&SourceInfo::new("run1.root", 1024, 1_700_000_000_000_000_000)?)?
///     .with("energy", vec![0.5, 1.5])?
///     .with("hits", vec![array![[1.0, 2.0]], array![[3.0, 4.0], [5.0, 6.0]]])?
///     .with("clusters", vec![vec![vec![1, 2], vec![3]], vec![vec![4]]])?;
/// assert_eq!(batch.events(), 2);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batch {
    events: usize,
    products: Vec<(String, Product)>,
}

impl Batch {
    /// A batch of that many events, with the product `index`.
    pub fn new(events: usize) -> Self {
        let mut batch = Self { events, products: Vec::new() };
        // One number per event, of the type that spine's loader gives.
        if let Ok(index) = Product::scalars((0..events as i64).collect::<Vec<i64>>()) {
            batch.products.push((INDEX.to_owned(), index));
        }
        batch
    }

    /// A batch of one event: in spine one whose `index` is a plain number.
    pub fn single() -> Self {
        Self::new(1)
    }

    /// Puts a product in, in the place of one that is there.
    ///
    /// # Errors
    /// `Shape` if it has another number of events than the batch; `Shape` or `Dtype` if it cannot be a product; `InvalidName`.
    pub fn put(&mut self, name: &str, product: impl IntoProduct) -> Result<&mut Self> {
        self.insert(name, product).with_context(|| (name, "put the product into the batch"))?;
        Ok(self)
    }

    /// [`put`](Batch::put) as a step of a chain.
    ///
    /// # Errors
    /// As [`put`](Batch::put).
    pub fn with(mut self, name: &str, product: impl IntoProduct) -> Result<Self> {
        self.put(name, product)?;
        Ok(self)
    }

    fn insert(&mut self, name: &str, product: impl IntoProduct) -> Result<()> {
        if name.is_empty() || name.contains('\0') {
            bail!(InvalidName, "{name:?} cannot be the name of a product");
        }
        let product = product.into_product()?;
        if let Some(n) = product.events()
            && n != self.events
        {
            return Err(error!(Shape, "the product has {n} values, and the batch has {} events", self.events)
                .remedy("give one value per event, or one scalar for the whole batch"));
        }
        product.check_events(self.events)?;
        match self.products.iter_mut().find(|(n, _)| n == name) {
            Some((_, place)) => *place = product,
            None => self.products.push((name.to_owned(), product)),
        }
        Ok(())
    }

    /// Removes a product.
    pub fn remove(&mut self, name: &str) -> Option<Product> {
        let at = self.products.iter().position(|(n, _)| n == name)?;
        Some(self.products.remove(at).1)
    }

    /// The number of events.
    pub fn events(&self) -> usize {
        self.events
    }

    /// The product of that name.
    pub fn get(&self, name: &str) -> Option<&Product> {
        self.products.iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }

    /// True if there is a product of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names, in the order in which they were put.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.products.iter().map(|(n, _)| n.as_str())
    }

    /// Names and products.
    pub fn products(&self) -> impl ExactSizeIterator<Item = (&str, &Product)> {
        self.products.iter().map(|(n, p)| (n.as_str(), p))
    }

    /// The events of these numbers, in their order.
    ///
    /// # Errors
    /// `Selection` if there is no such event.
    pub fn select(&self, events: &[usize]) -> Result<Self> {
        let products = self.products.iter().map(|(n, p)| Ok((n.clone(), p.select(events)?))).collect::<Result<_>>()?;
        Ok(Self { events: events.len(), products })
    }

    /// The products of these names; the order is theirs.
    pub(crate) fn project(&self, names: &[String]) -> Result<Self> {
        let find = |name: &String| {
            let product = self.get(name).ok_or_else(|| {
                error!(NotFound, "the batch has no product '{name}'").remedy("every batch has the products of the first one")
            })?;
            Ok((name.clone(), product.clone()))
        };
        Ok(Self { events: self.events, products: names.iter().map(find).collect::<Result<_>>()? })
    }
}
