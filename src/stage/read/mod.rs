//! Reading caches of stages, and flat files: whole products, or event by event.

mod columns;
mod event;
mod file;
mod options;
mod pools;
mod resolve;
mod runs;
mod sums;

pub use event::Event;
pub use options::StageReaderBuilder;
pub(in crate::stage) use sums::checksum_of;

use super::batch::{
    FILE_ENTRY_INDEX, FILE_INDEX, INDEX, SOURCE_FILE_ENTRY_INDEX, SOURCE_FILE_MTIME_NS, SOURCE_FILE_NAME, SOURCE_FILE_SIZE,
};
use super::origin::SourceOrigin;
use super::product::{EventValue, Product};
use super::provenance::SourceInfo;
use super::status::StageInfo;
use crate::array::AnyArray;
use crate::copy::Json;
use crate::error::{Context, Result, error};
use crate::tree::Group;
use event::number;
use file::File;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Reads stages of caches of either version, and flat files of either version: in spine `StageHDF5Reader` and `HDF5Reader`.
///
/// The entries of all files follow each other, the files in the order of their paths. A whole product is one or two calls to the library
/// ([`product`](StageReader::product)); an event ([`get`](StageReader::get)) is cut from what was read. Products are kept once they were read.
///
/// ```
/// use memh5::stage::{Batch, SourceInfo, StageHdf5Writer, StageReader};
/// use ndarray::array;
/// let mut writer = StageHdf5Writer::builder().file_name("run1_stage.h5").stage("hits").in_memory().build()?;
/// let source = SourceInfo::new("run1.root", 1024, 0)?;
/// writer.write(&Batch::new(2).with_source(&source)?.with("hits", vec![array![1.0, 2.0], array![3.0]])?)?;
/// writer.finalize()?;
/// let cache = writer.caches()[0].1.clone().unwrap();
///
/// let reader = StageReader::of_groups([&*cache])?;
/// let hits = reader.product("hits")?;
/// assert_eq!((hits.values().unwrap().len(), hits.offsets()), (3, &[0, 2, 3][..]));
/// assert_eq!(reader.get(1)?.get::<Vec<f64>>("hits")?, [3.0]);
/// # Ok::<(), memh5::Error>(())
/// ```
pub struct StageReader {
    files: Vec<File>,
    /// The file and the entry in it of each entry that is left by the selections; `None`: all.
    chosen: Option<Vec<(usize, usize)>>,
    run_info_key: String,
    /// The entries by run, subrun and event, once somebody asks.
    runs: OnceLock<HashMap<runs::Run, usize>>,
    max_print_files: usize,
}

/// How much is read, and from which files: as many names as [`max_print_files`](StageReaderBuilder::max_print_files) says.
impl std::fmt::Display for StageReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        write!(f, "{} of {}", plural(self.len(), "entry", "entries"), plural(self.files.len(), "file", "files"))?;
        for file in self.files.iter().take(self.max_print_files) {
            match &file.path {
                Some(path) => write!(f, "\n - {}", path.display())?,
                None => write!(f, "\n - (a group)")?,
            }
        }
        if self.files.len() > self.max_print_files { write!(f, "\n - ..") } else { Ok(()) }
    }
}

impl std::fmt::Debug for StageReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StageReader").field("files", &self.files.len()).field("entries", &self.len()).finish_non_exhaustive()
    }
}

impl StageReader {
    /// Begins to choose what is read.
    pub fn builder() -> StageReaderBuilder {
        StageReaderBuilder::default()
    }

    /// Opens caches or flat files, with all products of all stages.
    ///
    /// # Errors
    /// As [`StageReaderBuilder::open`].
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        Self::builder().open(paths)
    }

    /// Reads caches that are groups of any backend, with all products of all stages.
    ///
    /// # Errors
    /// As [`StageReaderBuilder::open`].
    pub fn of_groups<'g>(roots: impl IntoIterator<Item = &'g dyn Group>) -> Result<Self> {
        Self::builder().of_groups(roots)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.chosen.as_ref().map_or_else(|| self.files.iter().map(|f| f.entries).sum(), Vec::len)
    }

    /// True if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The products that every file has, with the stages that they are read from (an empty name in flat files), by name.
    pub fn keys(&self) -> Vec<(String, String)> {
        let Some((first, rest)) = self.files.split_first() else { return Vec::new() };
        first.keys.iter().filter(|(k, _)| rest.iter().all(|f| f.keys.contains_key(*k))).map(|(k, s)| (k.clone(), s.clone())).collect()
    }

    /// The number of files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    fn file(&self, file: usize) -> Result<&File> {
        self.files.get(file).ok_or_else(|| error!(Selection, "there is no file {file} among {}", self.files.len()))
    }

    fn within<T>(file: &File, what: &str, result: Result<T>) -> Result<T> {
        result.context("/", what).map_err(|e| match &file.path {
            Some(path) => e.in_file(path),
            None => e,
        })
    }

    /// The path of a file, if it is one.
    ///
    /// # Errors
    /// `Selection` if there is no such file.
    pub fn path(&self, file: usize) -> Result<Option<&Path>> {
        Ok(self.file(file)?.path.as_deref())
    }

    /// The source of a file, if it tells.
    ///
    /// # Errors
    /// `Selection` if there is no such file.
    pub fn source(&self, file: usize) -> Result<Option<&SourceInfo>> {
        Ok(self.file(file)?.source.as_ref())
    }

    /// Where the source of a file was, and a digest of its content, if the writer was told.
    ///
    /// # Errors
    /// `Selection` if there is no such file, `Dtype`.
    pub fn origin(&self, file: usize) -> Result<Option<SourceOrigin>> {
        let file = self.file(file)?;
        Self::within(file, "read the source", file.origin())
    }

    /// What a product of version 2 says of itself beyond its kind: spine's `product_metadata`, which its newer releases write for their typed
    /// products (columns of a tensor, spans of an index). `None` where there is nothing, as always in version 1.
    ///
    /// # Errors
    /// `Selection` if there is no such file, `NotFound` if there is no such product, `Corrupt` if it is no plain YAML.
    pub fn product_metadata(&self, file: usize, key: &str) -> Result<Option<Json>> {
        let file = self.file(file)?;
        Self::within(file, "read what the product says of itself", file.described(key)).map(|(metadata, _)| metadata)
    }

    /// The products that belong to a product of version 2 (`meta`, `spans`, `particles`, `index_shifts`), by name.
    ///
    /// # Errors
    /// As [`product_metadata`](StageReader::product_metadata).
    pub fn product_parts(&self, file: usize, key: &str) -> Result<Vec<String>> {
        let file = self.file(file)?;
        Self::within(file, "list the parts of the product", file.described(key)).map(|(_, parts)| parts)
    }

    /// One of the [`product_parts`](StageReader::product_parts), for all entries of a file.
    ///
    /// # Errors
    /// As [`product_metadata`](StageReader::product_metadata) and [`product`](StageReader::product).
    pub fn product_part(&self, file: usize, key: &str, part: &str) -> Result<Product> {
        let file = self.file(file)?;
        Self::within(file, "read the part of the product", file.part(key, part))
    }

    /// The stages of a file, read or not, with their status, attributes and configurations.
    ///
    /// # Errors
    /// `Selection` if there is no such file, `Corrupt`.
    pub fn stages(&self, file: usize) -> Result<Vec<StageInfo>> {
        let file = self.file(file)?;
        Self::within(file, "list the stages", file.stages())
    }

    /// The release of the program that has written to the file last, as it says.
    ///
    /// # Errors
    /// `Selection` if there is no such file, `Corrupt`.
    pub fn version(&self, file: usize) -> Result<Option<String>> {
        let file = self.file(file)?;
        Self::within(file, "read the version", file.version())
    }

    /// The configurations of the stages that are read from the first file, by stage; of a flat file under an empty name. Those that are not
    /// there, or not plain YAML, are left out; [`StageInfo::cfg`] has the text.
    ///
    /// # Errors
    /// `Corrupt` if the file cannot be read.
    pub fn cfg(&self) -> Result<BTreeMap<String, Json>> {
        let Some(file) = self.files.first() else { return Ok(BTreeMap::new()) };
        let used: Vec<&String> = file.keys.values().collect();
        let mut out = BTreeMap::new();
        if let Some(cfg) = file.cfg()?.and_then(|text| super::yaml::from_text(&text).ok()) {
            out.insert(String::new(), cfg);
        }
        for stage in Self::within(file, "list the stages", file.stages())? {
            if used.contains(&&stage.name)
                && let Ok(Some(cfg)) = stage.config()
            {
                out.insert(stage.name, cfg);
            }
        }
        Ok(out)
    }

    /// A product of all entries. Of a single cache in memory nothing is copied.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` if its references or offsets lead astray; `Dtype` or `Shape` if it is of another type in another file.
    pub fn product(&self, key: &str) -> Result<Arc<Product>> {
        let whole = match &self.files[..] {
            [] => return Err(error!(NotFound, "no file, and so no product '{key}'")),
            [_] => self.file_product(0, key)?,
            files => {
                let parts = (0..files.len()).map(|f| self.file_product(f, key).map(|p| (*p).clone())).collect::<Result<Vec<_>>>()?;
                Arc::new(Product::concat(&parts).with_context(|| (key, "put the files together"))?)
            }
        };
        let Some(chosen) = &self.chosen else { return Ok(whole) };
        let mut first = vec![0];
        for file in &self.files {
            first.push(first.last().copied().unwrap_or(0) + file.entries);
        }
        let entries: Vec<usize> = chosen.iter().filter_map(|(f, e)| first.get(*f).map(|n| n + e)).collect();
        whole.select(&entries).map(Arc::new)
    }

    /// A product of all entries of one file, whatever entries are chosen.
    ///
    /// # Errors
    /// `Selection` if there is no such file, and as [`product`](StageReader::product).
    pub fn file_product(&self, file: usize, key: &str) -> Result<Arc<Product>> {
        let file = self.file(file)?;
        Self::within(file, "read the product", file.product(key)).map_err(|e| e.at(key))
    }

    /// Where an entry is: its file, and its number in it.
    ///
    /// # Errors
    /// `Selection` if there is no such entry.
    pub fn locate(&self, entry: usize) -> Result<(usize, usize)> {
        let missing = || error!(Selection, "there is no entry {entry} among {}", self.len());
        if let Some(chosen) = &self.chosen {
            return chosen.get(entry).copied().ok_or_else(missing);
        }
        let mut left = entry;
        for (at, file) in self.files.iter().enumerate() {
            if left < file.entries {
                return Ok((at, left));
            }
            left -= file.entries;
        }
        Err(missing())
    }

    /// All products of an entry, and where it comes from: `file_index`, `file_entry_index`, `source_file_entry_index`, the source, as far as
    /// they are not products; `index` is always the number of the entry here.
    ///
    /// # Errors
    /// `Selection` if there is no such entry, `Corrupt`.
    pub fn get(&self, entry: usize) -> Result<Event> {
        let (at, own) = self.locate(entry)?;
        let file = self.file(at)?;
        let mut values = BTreeMap::from([
            (FILE_INDEX.to_owned(), number(at as i64)),
            (FILE_ENTRY_INDEX.to_owned(), number(own as i64)),
            (SOURCE_FILE_ENTRY_INDEX.to_owned(), number(own as i64)),
        ]);
        if let Some(source) = &file.source {
            values.insert(SOURCE_FILE_NAME.to_owned(), EventValue::Scalar(AnyArray::from(source.file_name.as_str())));
            values.insert(SOURCE_FILE_SIZE.to_owned(), number(source.file_size));
            values.insert(SOURCE_FILE_MTIME_NS.to_owned(), number(source.file_mtime_ns));
        }
        for key in file.keys.keys() {
            values.insert(key.clone(), self.file_product(at, key)?.event(own)?);
        }
        values.insert(INDEX.to_owned(), number(entry as i64));
        Ok(Event { values })
    }

    /// All entries, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Result<Event>> {
        (0..self.len()).map(|entry| self.get(entry))
    }

    /// Forgets the products that were read, and gives their memory back.
    pub fn forget(&self) {
        self.files.iter().for_each(File::forget);
    }
}
