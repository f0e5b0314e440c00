//! Typed products: what a product of version 2 says of itself, and the products that belong to it.

use super::format::check_name;
use super::product::Product;
use super::yaml;
use crate::error::{Context, Result, bail, error};

/// The names that the layout of a product uses itself.
const OWN: [&str; 6] = ["values", "event_offsets", "element_offsets", "fixed", "variables", "products"];

impl Product {
    /// The product with what it says of itself: any mapping that serde can serialise, stored as plain YAML in `product_metadata`. spine's reader builds its typed products
    /// from it: `product_type` is `tensor`, `index`, `index_list`, `edge_index`, `cluster_label` or `object_list`. Version 2 only; the same for all batches.
    ///
    /// ```
    /// use memh5::stage::Product;
    /// use std::collections::BTreeMap;
    /// let clusters = Product::lists(vec![vec![vec![0i64, 2], vec![1]]])?
    ///     .with_metadata(&BTreeMap::from([("product_type", "index_list")]))?
    ///     .with_part("spans", Product::scalars(vec![3i64])?)?;
    /// assert_eq!(clusters.part("spans").unwrap().events(), Some(1));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if it is no mapping, or has keys that are no text.
    pub fn with_metadata(mut self, metadata: &(impl serde::Serialize + ?Sized)) -> Result<Self> {
        self.format.metadata = Some(yaml::to_text(metadata).context("/", "write what the product says of itself")?);
        Ok(self)
    }

    /// The product with another one that belongs to it (spine's `meta`, `spans`, `particles`, `index_shifts`), in the place of one of that name. Version 2 only.
    ///
    /// # Errors
    /// `InvalidName`; `Shape` if it has another number of events; `Unsupported` if it has parts itself, which spine does not read.
    pub fn with_part(mut self, name: &str, part: Product) -> Result<Self> {
        check_name("part of a product", name)?;
        if OWN.contains(&name) || name.starts_with("element_") {
            return Err(
                error!(InvalidName, "{name:?} cannot be the name of a part of a product: the layout uses it").remedy("choose another name")
            );
        }
        if !part.parts.is_empty() {
            bail!(Unsupported, "the part '{name}' of a product has parts itself");
        }
        if let (Some(own), Some(other)) = (self.events(), part.events())
            && own != other
        {
            bail!(Shape, "the part '{name}' has {other} values, and the product {own}");
        }
        self.parts.retain(|(n, _)| n != name);
        self.format.parts.retain(|(n, _)| n != name);
        self.format.parts.push((name.to_owned(), part.format.clone()));
        self.parts.push((name.to_owned(), part));
        Ok(self)
    }

    /// The product of that name that belongs to this one.
    pub fn part(&self, name: &str) -> Option<&Product> {
        self.parts.iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }

    /// The products that belong to this one.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&str, &Product)> {
        self.parts.iter().map(|(n, p)| (n.as_str(), p))
    }

    /// The number of events, also of the parts where this is one value for the whole batch.
    pub(super) fn check_events(&self, events: usize) -> Result<()> {
        match self.parts.iter().find_map(|(n, p)| p.events().filter(|k| *k != events).map(|k| (n, k))) {
            Some((name, n)) => bail!(Shape, "the part '{name}' has {n} values, and the batch has {events} events"),
            None => Ok(()),
        }
    }
}
