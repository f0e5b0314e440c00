//! The datasets of one stage under construction: one write for each of them per batch.

use super::DataFormat;
use super::batch::Batch;
use super::format::ElementFormat;
use super::growing::Growing;
use super::regions::events_dtype;
use super::v1::ProductV1;
use super::v2::ProductV2;
use super::version::FormatVersion;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Context, Result, bail};
use crate::tree::Group;
use serde_json::{Map, Value};

/// A stage that is being written.
pub(super) struct StageStore {
    products: Products,
    events: Growing,
}

enum Products {
    V1(Vec<ProductV1>),
    V2(Vec<ProductV2>),
}

impl StageStore {
    /// `deferred`: nobody follows references before the file is closed.
    pub fn new(version: FormatVersion, formats: &[(String, DataFormat)], deferred: bool) -> Result<Self> {
        let (products, dtype) = match version {
            FormatVersion::V1 => {
                let products: Vec<ProductV1> = formats.iter().map(|(k, f)| ProductV1::new(k, f, deferred)).collect();
                let dtype = events_dtype(products.iter().map(|p| p.key.as_str()))?;
                (Products::V1(products), dtype)
            }
            FormatVersion::V2 => (Products::V2(formats.iter().map(|(k, f)| ProductV2::new(k, f)).collect::<Result<_>>()?), DType::I64),
        };
        let format = ElementFormat { dtype, width: None };
        let events = match version {
            FormatVersion::V1 => Growing::references("events", format, deferred),
            FormatVersion::V2 => Growing::list("events", format),
        };
        Ok(Self { products, events })
    }

    /// How many events are written.
    pub fn count(&self) -> u64 {
        self.events.rows
    }

    /// What can be refused before anything is written.
    pub fn check(&self, batch: &Batch) -> Result<()> {
        if let Products::V1(products) = &self.products {
            for (product, (key, value)) in products.iter().zip(batch.products()) {
                product.check(value).with_context(|| (key, "write the product"))?;
            }
            self.events.check_rows(batch.events())?;
        }
        Ok(())
    }

    /// Writes the events of a batch, which has exactly the products of the stage, in their order.
    pub fn append(&mut self, stage: &dyn Group, batch: &Batch) -> Result<()> {
        let events = batch.events();
        if batch.products().len() != self.products.len() {
            bail!(InvalidArgument, "the batch has {} products, and the stage {}", batch.products().len(), self.products.len());
        }
        match &mut self.products {
            Products::V1(products) => {
                let mut columns = Vec::with_capacity(products.len());
                for (product, (key, value)) in products.iter_mut().zip(batch.products()) {
                    columns.push(product.append(stage, events, value).with_context(|| (key, "write the product"))?);
                }
                // The events last: what they lead to is there.
                self.events.append_references(stage, events, &columns)?;
            }
            Products::V2(products) => {
                for (product, (key, value)) in products.iter_mut().zip(batch.products()) {
                    product.append(stage, events, value).with_context(|| (key, "write the product"))?;
                }
                let first = self.events.rows as i64;
                self.events.append(stage, AnyArray::from((first..first + events as i64).collect::<Vec<i64>>()))?;
            }
        }
        Ok(())
    }

    fn datasets(&mut self) -> Vec<&mut Growing> {
        let mut out: Vec<&mut Growing> = match &mut self.products {
            Products::V1(products) => products.iter_mut().flat_map(ProductV1::datasets).collect(),
            Products::V2(products) => products.iter_mut().flat_map(ProductV2::datasets).collect(),
        };
        out.push(&mut self.events);
        out
    }

    /// How many references lead nowhere before the file is closed.
    pub fn waiting(&mut self) -> usize {
        self.datasets().iter().map(|g| g.waiting).sum()
    }

    /// Lets go of all open datasets: their file is about to be closed.
    pub fn release(&mut self) {
        self.datasets().into_iter().for_each(Growing::release);
    }

    /// The checksum of every dataset, by its name in the stage.
    pub fn checksums(&mut self) -> Value {
        let sums = self.datasets().into_iter().map(|g| (g.name.clone(), format!("{:08x}", g.checksum()).into()));
        Value::Object(sums.collect::<Map<_, _>>())
    }
}

impl Products {
    fn len(&self) -> usize {
        match self {
            Self::V1(products) => products.len(),
            Self::V2(products) => products.len(),
        }
    }
}
