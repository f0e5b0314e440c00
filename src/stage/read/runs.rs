//! Entries by run, subrun and event.

use super::StageReader;
use crate::dtype::{Cast, DType};
use crate::error::{Context, Result, bail, error};
use std::collections::HashMap;

/// Run, subrun and event.
pub(super) type Run = (i64, i64, i64);

impl StageReader {
    /// The number of the entry of a run, subrun and event; the first one if several are the same. In spine `get_run_event_index`.
    ///
    /// The product that tells is `run_info`, unless [`run_info_key`](super::StageReaderBuilder::run_info_key) names another: objects with the
    /// fields `run`, `subrun` and `event`.
    ///
    /// # Errors
    /// `NotFound` if there is no such entry, or no such product; `Dtype` if it has other fields.
    pub fn run_event_index(&self, run: i64, subrun: i64, event: i64) -> Result<usize> {
        let map = match self.runs.get() {
            Some(map) => map,
            None => {
                let map = first_entries(&self.run_events()?);
                self.runs.get_or_init(|| map)
            }
        };
        map.get(&(run, subrun, event)).copied().ok_or_else(|| {
            error!(NotFound, "there is no entry of run {run}, subrun {subrun}, event {event}").remedy("another file may have it")
        })
    }

    /// All products of the entry of a run, subrun and event. In spine `get_run_event`.
    ///
    /// # Errors
    /// As [`run_event_index`](StageReader::run_event_index) and [`get`](StageReader::get).
    pub fn get_run_event(&self, run: i64, subrun: i64, event: i64) -> Result<super::Event> {
        self.get(self.run_event_index(run, subrun, event)?)
    }

    /// Run, subrun and event of every entry.
    ///
    /// # Errors
    /// As [`run_event_index`](StageReader::run_event_index).
    pub fn run_events(&self) -> Result<Vec<(i64, i64, i64)>> {
        let key = self.run_info_key.as_str();
        let product = self.product(key).map_err(|e| e.remedy("run_info_key names the product with run, subrun and event"))?;
        let rows = product.values().filter(|v| v.ndim() == 1 && v.len() == self.len());
        let Some(rows) = rows else { bail!(Dtype, "the product '{key}' is {} and not one object per entry", product.format()) };
        let column = |name: &str| -> Result<Vec<i64>> {
            let field = rows.field(name)?.astype(&DType::I64, Cast::Exact)?;
            Ok(field.view::<i64>()?.iter().copied().collect())
        };
        let read = || Ok((column("run")?, column("subrun")?, column("event")?));
        let (runs, subruns, events) = read().with_context(|| (key, "read the runs of the entries"))?;
        Ok(runs.into_iter().zip(subruns).zip(events).map(|((r, s), e)| (r, s, e)).collect())
    }
}

/// The first entry of each.
pub(super) fn first_entries(all: &[Run]) -> HashMap<Run, usize> {
    let mut map = HashMap::with_capacity(all.len());
    for (entry, run) in all.iter().enumerate() {
        map.entry(*run).or_insert(entry);
    }
    map
}
