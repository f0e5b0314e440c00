//! Which products of a batch are stored.

use super::batch::{Batch, FILE_ENTRY_INDEX, FILE_INDEX, INDEX, SOURCE_FILE_ENTRY_INDEX, SOURCE_FILE_INDEX};
use super::format::check_name;
use super::provenance::FILE_KEYS;
use crate::error::{Result, bail, error};

/// The projection of a writer: all products, only some, or all but some.
#[derive(Debug, Clone, Default)]
pub(crate) struct Projection {
    pub keys: Option<Vec<String>>,
    pub skip_keys: Vec<String>,
}

impl Projection {
    pub fn check(&self) -> Result<()> {
        if self.keys.is_some() && !self.skip_keys.is_empty() {
            bail!(InvalidArgument, "keys and skip_keys exclude each other");
        }
        Ok(())
    }

    /// The names that are stored of a batch that has its provenance aliases, in a fixed order: `index` first, then as they were put.
    ///
    /// As spine has it: `index` is always there, the provenance of the loader too, and the entry in the source cannot be skipped; what
    /// belongs to the file is in `/source` and nowhere else.
    pub fn stored_keys(&self, batch: &Batch) -> Result<Vec<String>> {
        let missing = |key: &String| {
            error!(NotFound, "the batch has no product '{key}'").remedy(format!("it has: {}", batch.keys().collect::<Vec<_>>().join(", ")))
        };
        if let Some(key) = self.keys.iter().flatten().chain(&self.skip_keys).find(|k| !batch.contains(k)) {
            return Err(missing(key));
        }
        if !batch.contains(INDEX) {
            return Err(missing(&INDEX.to_owned()));
        }
        let wanted = |key: &str| {
            if FILE_KEYS.contains(&key) {
                return false;
            }
            if key == SOURCE_FILE_ENTRY_INDEX {
                // With keys given, only if it is asked for or the loader has told it.
                return self
                    .keys
                    .as_ref()
                    .is_none_or(|k| k.iter().any(|k| k == key) || batch.contains(FILE_ENTRY_INDEX) || batch.contains(key));
            }
            if self.skip_keys.iter().any(|k| k == key) {
                return false;
            }
            match &self.keys {
                None => true,
                Some(keys) => key == INDEX || keys.iter().any(|k| k == key) || (key == SOURCE_FILE_INDEX && batch.contains(FILE_INDEX)),
            }
        };
        let mut keys: Vec<String> = batch.keys().filter(|k| *k == INDEX && wanted(k)).map(str::to_owned).collect();
        keys.extend(batch.keys().filter(|k| *k != INDEX && wanted(k)).map(str::to_owned));
        for key in &keys {
            check_name("product", key)?;
        }
        if keys.is_empty() {
            bail!(InvalidArgument, "no product of the batch is to be stored");
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections_are_spines() {
        let batch = Batch::new(1).with("b", 1).unwrap().with("a", 2).unwrap().with(FILE_ENTRY_INDEX, vec![4]).unwrap();
        let batch = super::super::with_source_provenance(&batch).unwrap();
        let of = |keys: Option<&[&str]>, skip: &[&str]| {
            let strings = |s: &[&str]| s.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
            Projection { keys: keys.map(strings), skip_keys: strings(skip) }.stored_keys(&batch)
        };
        assert_eq!(of(None, &[]).unwrap(), ["index", "b", "a", "file_entry_index", "source_file_entry_index"]);
        assert_eq!(of(Some(&["a"]), &[]).unwrap(), ["index", "a", "source_file_entry_index"]);
        assert_eq!(of(Some(&[]), &[]).unwrap(), ["index", "source_file_entry_index"]);
        assert_eq!(of(None, &["index", "source_file_entry_index"]).unwrap(), ["b", "a", "file_entry_index", "source_file_entry_index"]);
        assert_eq!(of(Some(&["nothing"]), &[]).unwrap_err().kind(), crate::ErrorKind::NotFound);
        assert_eq!(of(None, &["nothing"]).unwrap_err().kind(), crate::ErrorKind::NotFound);
        assert!(Projection { keys: Some(vec![]), skip_keys: vec!["a".into()] }.check().is_err());
    }
}
