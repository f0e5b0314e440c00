//! One cache or flat file that is read.

use super::super::origin::SourceOrigin;
use super::super::product::Product;
use super::super::provenance::SourceInfo;
use super::super::status::{StageInfo, StageStatus, open_stage, products_of, stage_names, status_of};
use super::super::yaml;
use super::columns::{Events, read_v1, read_v2};
use super::resolve::Wanted;
use crate::copy::Json;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::tree::{AttributesExt, DatasetExt, GroupExt, GroupRef};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// What holds products and `events`: a stage, or all of a flat file.
pub(super) struct Table {
    /// The group with `events`.
    group: GroupRef,
    /// The group with the products.
    products: GroupRef,
    pub entries: usize,
    version_1: bool,
    /// What the events of version 1 lead to.
    fields: Vec<String>,
    events: OnceLock<Arc<Events>>,
    fixed_only: bool,
}

impl Table {
    fn open(group: GroupRef, fixed_only: bool) -> Result<Self> {
        if !group.contains("events")? {
            return Err(error!(Corrupt, "there is no dataset 'events'").at(group.name()));
        }
        let events = group.dataset("events")?;
        let dtype = events.dtype()?;
        let version_1 = match &dtype {
            DType::Compound(_) => true,
            DType::Int(_) if group.contains("products")? => false,
            other => return Err(error!(Corrupt, "the events are of type {other} and have no named fields").at(events.name())),
        };
        if version_1 && fixed_only {
            return Err(error!(InvalidArgument, "only version 2 keeps fields of fixed size apart, and this is version 1")
                .at(events.name())
                .remedy("read it without fixed_only"));
        }
        let products = if version_1 { group.clone() } else { group.group("products")? };
        let fields = dtype.fields().iter().map(|f| f.name.clone()).collect();
        Ok(Self { entries: events.len()?, group, products, version_1, fields, events: OnceLock::new(), fixed_only })
    }

    fn events(&self) -> Result<Arc<Events>> {
        if let Some(events) = self.events.get() {
            return Ok(events.clone());
        }
        let read = Arc::new(Events::read(&*self.group)?);
        Ok(self.events.get_or_init(|| read).clone())
    }

    /// True if the events lead to the product; one that is there without them is not part of the stage.
    fn leads_to(&self, key: &str) -> bool {
        !self.version_1 || self.fields.iter().any(|f| f == key)
    }

    fn read(&self, key: &str) -> Result<Product> {
        if !self.version_1 {
            return read_v2(&*self.products, key, self.entries, self.fixed_only);
        }
        let events = self.events()?;
        if events.len() != self.entries {
            bail!(Corrupt, "the events have changed while they were read");
        }
        read_v1(&*self.products, key, &events)
    }
}

/// A file (or group) with the products that are wanted of it.
pub(super) struct File {
    pub path: Option<PathBuf>,
    root: GroupRef,
    pub source: Option<SourceInfo>,
    pub entries: usize,
    /// By name; of a flat file one without a name.
    tables: BTreeMap<String, Table>,
    /// The product, and the stage that it is read from.
    pub keys: BTreeMap<String, String>,
    cache: Mutex<HashMap<String, Arc<Product>>>,
}

impl File {
    pub fn open(path: Option<PathBuf>, root: GroupRef, wanted: &Wanted, ignore_incomplete: bool) -> Result<Self> {
        let source = SourceInfo::read(&*root)?;
        let flat = !root.contains("stages")?;
        let (tables, keys) =
            if flat { Self::open_flat(&root, wanted, ignore_incomplete)? } else { Self::open_stages(&root, wanted, ignore_incomplete)? };
        let mut entries = None;
        for (name, table) in &tables {
            match entries {
                None => entries = Some((name, table.entries)),
                Some((_, n)) if n == table.entries => {}
                Some((first, n)) => {
                    bail!(Corrupt, "the stages do not have the same number of entries: '{first}' has {n}, and '{name}' {}", table.entries)
                }
            }
        }
        let file = Self { path, root, source, entries: entries.map_or(0, |(_, n)| n), tables, keys, cache: Mutex::default() };
        file.check_order()?;
        Ok(file)
    }

    fn open_flat(root: &GroupRef, wanted: &Wanted, ignore_incomplete: bool) -> Result<(BTreeMap<String, Table>, BTreeMap<String, String>)> {
        if let Some(stage) = &wanted.stage {
            return Err(error!(NotFound, "a flat file has no stages, and so not '{stage}'").remedy("open it without a stage"));
        }
        if !ignore_incomplete && status_of(&**root)? == StageStatus::Incomplete {
            return Err(incomplete("the file"));
        }
        let table = Table::open(root.clone(), wanted.fixed_only)?;
        let mut there = if table.version_1 { products_of(&**root)? } else { table.products.keys()? };
        there.retain(|k| !matches!(k.as_str(), "source" | "stages"));
        let names = match &wanted.keys {
            None => there.into_iter().filter(|k| table.leads_to(k)).collect::<Vec<_>>(),
            Some(keys) => match keys.iter().find(|k| !there.contains(k)) {
                Some(missing) => {
                    return Err(error!(NotFound, "the file has no product '{missing}'").remedy(format!("it has: {}", there.join(", "))));
                }
                None => keys.clone(),
            },
        };
        let keys = names.into_iter().map(|k| (k, String::new())).collect();
        Ok((BTreeMap::from([(String::new(), table)]), keys))
    }

    fn open_stages(
        root: &GroupRef,
        wanted: &Wanted,
        ignore_incomplete: bool,
    ) -> Result<(BTreeMap<String, Table>, BTreeMap<String, String>)> {
        let mut stages = Vec::new();
        for name in stage_names(&**root)? {
            let Some(group) = open_stage(&**root, &name)? else { continue };
            stages.push((name, products_of(&*group)?));
        }
        let keys = wanted.resolve(&stages)?;
        let mut tables = BTreeMap::new();
        let mut left_out = Vec::new();
        for (key, stage) in &keys {
            if !tables.contains_key(stage) {
                let Some(group) = open_stage(&**root, stage)? else { bail!(NotFound, "there is no stage '{stage}'") };
                if !ignore_incomplete && status_of(&*group)? == StageStatus::Incomplete {
                    return Err(incomplete(&format!("the stage '{stage}'")));
                }
                tables.insert(stage.clone(), Table::open(group, wanted.fixed_only)?);
            }
            if wanted.keys.is_none()
                && let Some(table) = tables.get(stage)
                && !table.leads_to(key)
            {
                left_out.push(key.clone());
            }
        }
        let keys = keys.into_iter().filter(|(k, _)| !left_out.contains(k)).collect();
        Ok((tables, keys))
    }

    /// Entries of several stages belong together by their place: where they say which entries of the source they are, they must agree.
    fn check_order(&self) -> Result<()> {
        let key = super::super::SOURCE_FILE_ENTRY_INDEX;
        if self.tables.len() < 2 {
            return Ok(());
        }
        let mut first: Option<(&String, crate::AnyArray)> = None;
        for (name, table) in &self.tables {
            if !table.products.contains(key)? || !table.leads_to(key) {
                continue;
            }
            let product = table.read(key)?;
            let Some(values) = product.values() else { continue };
            match &first {
                None => first = Some((name, values.clone())),
                Some((other, theirs)) if theirs != values => {
                    return Err(error!(Corrupt, "the stages '{other}' and '{name}' have the entries of the source in different orders")
                        .remedy("read them one at a time"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn table(&self, key: &str) -> Result<&Table> {
        self.keys.get(key).and_then(|stage| self.tables.get(stage)).ok_or_else(|| {
            let known: Vec<&str> = self.keys.keys().map(String::as_str).collect();
            error!(NotFound, "there is no product '{key}'").remedy(format!("the products are: {}", known.join(", ")))
        })
    }

    /// What a product of version 2 says of itself, and the names of its parts.
    pub fn described(&self, key: &str) -> Result<(Option<Json>, Vec<String>)> {
        let table = self.table(key)?;
        if table.version_1 {
            return Ok((None, Vec::new()));
        }
        let product = table.products.group(key)?;
        let mut parts = product.keys()?;
        parts.retain(|part| product.group(part).is_ok_and(|g| g.attrs().contains("kind").unwrap_or(false)));
        let metadata = product.attrs().get_array("product_metadata")?;
        let text = metadata.and_then(|v| v.to_strings().ok()).and_then(|v| v.into_iter().next());
        Ok((text.as_deref().map(yaml::from_text).transpose()?, parts))
    }

    /// A part of a product of version 2, which is a product itself.
    pub fn part(&self, key: &str, part: &str) -> Result<Product> {
        let table = self.table(key)?;
        let parts = self.described(key)?.1;
        if !parts.iter().any(|p| p == part) {
            return Err(error!(NotFound, "the product '{key}' has no part '{part}'").remedy(format!("its parts are: {}", parts.join(", "))));
        }
        table.read(&format!("{key}/{part}"))
    }

    /// Where the source is, if the cache tells.
    pub fn origin(&self) -> Result<Option<SourceOrigin>> {
        SourceOrigin::read(&*self.root)
    }

    /// A whole product; what was read once is kept.
    pub fn product(&self, key: &str) -> Result<Arc<Product>> {
        if let Some(product) = self.cache.lock().get(key) {
            return Ok(product.clone());
        }
        let table = self.table(key)?;
        let product = table.read(key)?;
        if product.events() != Some(self.entries) {
            bail!(Corrupt, "the product '{key}' has {:?} entries, and there are {}", product.events(), self.entries);
        }
        let product = Arc::new(product);
        self.cache.lock().insert(key.to_owned(), product.clone());
        Ok(product)
    }

    /// Forgets what was read.
    pub fn forget(&self) {
        self.cache.lock().clear();
    }

    /// The stages of the file, used or not.
    pub fn stages(&self) -> Result<Vec<StageInfo>> {
        let names = stage_names(&*self.root)?;
        names.iter().filter_map(|name| StageInfo::read(&*self.root, name).transpose()).collect()
    }

    /// The version of the program that wrote last.
    pub fn version(&self) -> Result<Option<String>> {
        self.info("spine_version").and_then(|v| v.map_or_else(|| self.info("version"), |v| Ok(Some(v))))
    }

    /// The configuration of a flat file, as text.
    pub fn cfg(&self) -> Result<Option<String>> {
        self.info("cfg")
    }

    fn info(&self, name: &str) -> Result<Option<String>> {
        if !self.root.contains("info")? {
            return Ok(None);
        }
        let value = self.root.group("info")?.attrs().get_array(name)?;
        Ok(value.and_then(|v| v.to_strings().ok()).and_then(|v| v.into_iter().next()))
    }
}

fn incomplete(what: &str) -> crate::Error {
    error!(InvalidArgument, "{what} is marked incomplete")
        .remedy("its writer has not finalized it: write it again, or say ignore_incomplete")
}
