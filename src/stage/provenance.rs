//! Where events come from: the source file's name, size and time.

use super::batch::{
    Batch, FILE_ENTRY_INDEX, FILE_INDEX, SOURCE_FILE_ENTRY_INDEX, SOURCE_FILE_INDEX, SOURCE_FILE_MTIME_NS, SOURCE_FILE_NAME,
    SOURCE_FILE_SIZE,
};
use super::product::Product;
use crate::dtype::{Cast, DType};
use crate::error::{Context, Error, Result, bail, error};
use crate::tree::{AttributesExt, Group, GroupExt, GroupRef};
use std::path::Path;

/// The identity of a source file: what `/source` of a cache holds. In spine a dictionary of three keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SourceInfo {
    /// The base name.
    pub file_name: String,
    /// The size in bytes; -1 if the file is remote.
    pub file_size: i64,
    /// The time of the last change in nanoseconds since 1970; -1 if the file is remote.
    pub file_mtime_ns: i64,
}

/// The keys that belong to a file and not to an event: they are kept once, in `/source`.
pub(crate) const FILE_KEYS: [&str; 3] = [SOURCE_FILE_NAME, SOURCE_FILE_SIZE, SOURCE_FILE_MTIME_NS];

impl SourceInfo {
    /// A source by its base name, size and time.
    ///
    /// # Errors
    /// `InvalidArgument` if the name is empty or holds a directory: a cache is named after it, beside the other caches.
    pub fn new(file_name: &str, file_size: i64, file_mtime_ns: i64) -> Result<Self> {
        if file_name.is_empty() || matches!(file_name, "." | "..") || file_name.contains(['/', '\0']) {
            return Err(error!(InvalidArgument, "{file_name:?} is not the base name of a source file")
                .remedy("give the name without its directory, or use SourceInfo::of_file"));
        }
        Ok(Self { file_name: file_name.to_owned(), file_size, file_mtime_ns })
    }

    /// The source of a file that is there. The address of a remote one (`root://server/path`) is [`remote`](SourceInfo::remote).
    ///
    /// # Errors
    /// `NotFound`, `Io`.
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if let Some((_, name)) = path.to_string_lossy().split_once("://") {
            return Self::remote(name.rsplit('/').next().unwrap_or_default()).map_err(|e| e.in_file(path));
        }
        let fail = |e| Error::io(e, path).during("look at the source file");
        let info = std::fs::metadata(path).map_err(fail)?;
        let time = info.modified().map_err(fail)?;
        let nanoseconds = match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        };
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Self::new(&name, i64::try_from(info.len()).unwrap_or(i64::MAX), nanoseconds).map_err(|e| e.in_file(path))
    }

    /// A remote source, whose size and time are not known: both are -1.
    ///
    /// # Errors
    /// As [`new`](SourceInfo::new).
    pub fn remote(file_name: &str) -> Result<Self> {
        Self::new(file_name, -1, -1)
    }

    /// Reads `/source` of a cache; `None` if it has none. Names may be text of any kind, with directories too, as other writers leave them.
    ///
    /// # Errors
    /// `Corrupt` if an attribute is missing or of another type.
    pub fn read(root: &dyn Group) -> Result<Option<Self>> {
        if !root.contains("source")? {
            return Ok(None);
        }
        let group = root.group("source")?;
        let broken =
            |name: &str, e: Error| error!(Corrupt, "the attribute '{name}' of the source is no proper value").at("/source").because(e);
        let number = |name: &str| -> Result<i64> {
            let value: crate::AnyArray = group.attrs().get(name).map_err(|e| broken(name, e))?;
            if !value.is_scalar() || !matches!(value.dtype(), DType::Int(_)) {
                bail!(Corrupt, "the attribute '{name}' of the source is {} and not one integer", value.dtype());
            }
            let value = value.astype(&DType::I64, Cast::Exact).map_err(|e| broken(name, e))?;
            value.element(0).and_then(|e| e.as_i64()).ok_or_else(|| error!(Corrupt, "the attribute '{name}' of the source is no integer"))
        };
        let file_name = group.attrs().get::<String>("file_name").map_err(|e| broken("file_name", e))?;
        Ok(Some(Self { file_name, file_size: number("file_size")?, file_mtime_ns: number("file_mtime_ns")? }))
    }

    fn write(&self, root: &dyn Group) -> Result<GroupRef> {
        let group = root.create_group("source")?;
        group.attrs().set("file_name", self.file_name.as_str())?;
        group.attrs().set("file_size", self.file_size)?;
        group.attrs().set("file_mtime_ns", self.file_mtime_ns)?;
        Ok(group)
    }

    /// Refuses a cache of another source.
    pub(crate) fn expect(&self, found: &SourceInfo) -> Result<()> {
        let fields = [
            ("file_name", found.file_name.clone(), self.file_name.clone()),
            ("file_size", found.file_size.to_string(), self.file_size.to_string()),
            ("file_mtime_ns", found.file_mtime_ns.to_string(), self.file_mtime_ns.to_string()),
        ];
        for (field, found, wanted) in fields {
            if found != wanted {
                return Err(error!(InvalidArgument, "the cache is of another source: its {field} is {found}, and the batch says {wanted}")
                    .at("/source")
                    .remedy("write to another file, or remove the cache of the old source"));
            }
        }
        Ok(())
    }
}

/// Opens `/source` of a cache and checks it, or makes it. In spine `ensure_source_group`.
///
/// # Errors
/// `InvalidArgument` if the cache is of another source, and nothing is written then; `Corrupt`.
pub fn ensure_source_group(root: &dyn Group, source: &SourceInfo) -> Result<GroupRef> {
    match SourceInfo::read(root)? {
        Some(found) => source.expect(&found).and_then(|()| root.group("source")),
        None => source.write(root),
    }
}

/// The batch with the keys that spine gives the loader's own numbers: `file_index` as `source_file_index` and `file_entry_index` as
/// `source_file_entry_index`, where these are not there. In spine `with_source_provenance`.
///
/// # Errors
/// None in practice: the products fit the batch that they come from.
pub fn with_source_provenance(batch: &Batch) -> Result<Batch> {
    let mut out = batch.clone();
    for (own, alias) in [(FILE_INDEX, SOURCE_FILE_INDEX), (FILE_ENTRY_INDEX, SOURCE_FILE_ENTRY_INDEX)] {
        if let Some(product) = batch.get(own)
            && !batch.contains(alias)
        {
            out.put(alias, product)?;
        }
    }
    Ok(out)
}

/// The sources of the events, with the numbers of the events of each, in the order in which they first come.
pub(crate) fn sources_of(batch: &Batch) -> Result<Vec<(SourceInfo, Vec<usize>)>> {
    let product = |name: &str| {
        batch.get(name).ok_or_else(|| {
            error!(NotFound, "the batch has no product '{name}', which says where its events come from")
                .remedy("put it in, or use Batch::with_source")
        })
    };
    let numbers = |name: &str| -> Result<Column<i64>> {
        let product = product(name)?;
        let values = scalars(name, product)?.astype(&DType::I64, Cast::Exact).with_context(|| (name, "read the source of the events"))?;
        Ok(Column { values: values.view::<i64>()?.iter().copied().collect(), batch: product.events().is_none() })
    };
    let (size, time) = (numbers(SOURCE_FILE_SIZE)?, numbers(SOURCE_FILE_MTIME_NS)?);
    let named = product(SOURCE_FILE_NAME)?;
    let names = scalars(SOURCE_FILE_NAME, named)?;
    let names = Column {
        values: names.to_strings().with_context(|| (SOURCE_FILE_NAME, "read the source of the events"))?,
        batch: named.events().is_none(),
    };
    let mut found: Vec<(SourceInfo, Vec<usize>)> = Vec::new();
    for event in 0..batch.events() {
        let (Some(name), Some(size), Some(time)) = (names.get(event), size.get(event), time.get(event)) else {
            bail!(Shape, "event {event} has no source");
        };
        // Events of one source mostly follow each other.
        let same = |s: &SourceInfo| s.file_name == *name && s.file_size == *size && s.file_mtime_ns == *time;
        match found.iter_mut().rev().find(|(s, _)| same(s)) {
            Some((_, events)) => events.push(event),
            None => found.push((SourceInfo::new(name, *size, *time)?, vec![event])),
        }
    }
    Ok(found)
}

/// One value per event, or one for all.
struct Column<T> {
    values: Vec<T>,
    batch: bool,
}

impl<T> Column<T> {
    fn get(&self, event: usize) -> Option<&T> {
        self.values.get(if self.batch { 0 } else { event })
    }
}

fn scalars<'p>(name: &str, product: &'p Product) -> Result<&'p crate::AnyArray> {
    match product.values() {
        Some(values) if product.format().kind() == super::ProductKind::Scalar => Ok(values),
        _ => Err(error!(Dtype, "the product '{name}' is {} and not one value per event", product.format())),
    }
}

/// The one source of all events of a batch. In spine `get_batch_source_info`.
///
/// # Errors
/// `NotFound` if a key is missing; `InvalidArgument` if the batch is empty, or its events come from several files; `Dtype`.
pub fn get_batch_source_info(batch: &Batch) -> Result<SourceInfo> {
    match sources_of(batch)?.as_slice() {
        [(source, _)] => Ok(source.clone()),
        [] => bail!(InvalidArgument, "the batch is empty, and so comes from no file"),
        several => Err(error!(InvalidArgument, "the events of the batch come from {} files", several.len())
            .remedy("split it with split_batch_by_source")),
    }
}

/// The batch in parts, one for each source. In spine `split_batch_by_source`.
///
/// # Errors
/// `NotFound` if a key is missing, `Dtype`, `InvalidArgument` for a name that is no base name.
pub fn split_batch_by_source(batch: &Batch) -> Result<Vec<(SourceInfo, Batch)>> {
    let sources = sources_of(batch)?;
    if let [(source, _)] = sources.as_slice() {
        return Ok(vec![(source.clone(), batch.clone())]);
    }
    sources.into_iter().map(|(source, events)| Ok((source, batch.select(&events)?))).collect()
}

impl Batch {
    /// Says where all events come from.
    ///
    /// # Errors
    /// None in practice.
    pub fn with_source(self, source: &SourceInfo) -> Result<Self> {
        self.with(SOURCE_FILE_NAME, source.file_name.as_str())?
            .with(SOURCE_FILE_SIZE, source.file_size)?
            .with(SOURCE_FILE_MTIME_NS, source.file_mtime_ns)
    }

    /// Says where each event comes from.
    ///
    /// # Errors
    /// `Shape` unless there is one source per event.
    pub fn with_sources(self, sources: &[SourceInfo]) -> Result<Self> {
        let names: Vec<&str> = sources.iter().map(|s| s.file_name.as_str()).collect();
        self.with(SOURCE_FILE_NAME, names)?
            .with(SOURCE_FILE_SIZE, sources.iter().map(|s| s.file_size).collect::<Vec<i64>>())?
            .with(SOURCE_FILE_MTIME_NS, sources.iter().map(|s| s.file_mtime_ns).collect::<Vec<i64>>())
    }
}
