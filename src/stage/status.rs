//! What is known of a stage without its data: absent, incomplete or complete, and its attributes.

use super::yaml;
use crate::array::AnyArray;
use crate::copy::Json;
use crate::dtype::Cast;
use crate::dtype::DType;
use crate::error::{Result, error};
use crate::tree::{AttributesExt, DatasetExt, Group, GroupExt, GroupRef};

/// The attributes of a stage's `info` that are not a user's.
pub(crate) const COMPLETE: &str = "complete";
pub(crate) const CFG: &str = "cfg";
/// Attributes that this crate adds begin so; spine does not look at them.
pub(crate) const PRIVATE: &str = "memh5_";
pub(crate) const SCHEMA: &str = "memh5_schema";
pub(crate) const EVENTS: &str = "memh5_events";
pub(crate) const CHECKSUMS: &str = "memh5_checksums";
pub(crate) const SESSION: &str = "memh5_session";
pub(crate) const WRITER: &str = "memh5_writer";

/// Whether a stage can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageStatus {
    /// There is no such stage.
    Absent,
    /// Its writer has not finalized it.
    Incomplete,
    /// It was finalized.
    Complete,
}

impl StageStatus {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Incomplete => "incomplete",
            Self::Complete => "complete",
        }
    }
}

impl std::fmt::Display for StageStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stage as a cache describes it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageInfo {
    /// Its name.
    pub name: String,
    /// Whether it can be used.
    pub status: StageStatus,
    /// How many events it has.
    pub events: u64,
    /// The names of its products.
    pub products: Vec<String>,
    /// The attributes that its writer was given, by name.
    pub attrs: Vec<(String, AnyArray)>,
    /// The configuration as text, if there is one.
    pub cfg: Option<String>,
    /// The attributes that memh5 has recorded when it was finalized; empty if another program wrote it.
    pub recorded: Vec<(String, AnyArray)>,
}

impl StageInfo {
    /// The configuration, read from its text.
    ///
    /// # Errors
    /// `Corrupt` if the text is no plain YAML (spine stores any Python value).
    pub fn config(&self) -> Result<Option<Json>> {
        self.cfg.as_deref().map(yaml::from_text).transpose()
    }

    /// Reads it; `None` if there is no such stage.
    pub(crate) fn read(root: &dyn Group, name: &str) -> Result<Option<Self>> {
        let Some(stage) = open_stage(root, name)? else { return Ok(None) };
        let mut out = Self {
            name: name.to_owned(),
            status: status_of(&*stage)?,
            events: 0,
            products: products_of(&*stage)?,
            attrs: Vec::new(),
            cfg: None,
            recorded: Vec::new(),
        };
        if stage.contains("events")? {
            out.events = stage.dataset("events")?.len()? as u64;
        }
        if stage.contains("info")? {
            for (name, value) in stage.group("info")?.attrs().items()? {
                match name.as_str() {
                    COMPLETE => {}
                    CFG => out.cfg = value.to_strings().ok().and_then(|v| v.into_iter().next()),
                    n if n.starts_with(PRIVATE) => out.recorded.push((name, value)),
                    _ => out.attrs.push((name, value)),
                }
            }
        }
        Ok(Some(out))
    }
}

/// The group of a stage, if there is one.
pub(crate) fn open_stage(root: &dyn Group, name: &str) -> Result<Option<GroupRef>> {
    if !root.contains("stages")? {
        return Ok(None);
    }
    let stages = root.group("stages")?;
    if stages.contains(name)? { stages.group(name).map(Some) } else { Ok(None) }
}

/// The names of the stages of a cache.
pub(crate) fn stage_names(root: &dyn Group) -> Result<Vec<String>> {
    if root.contains("stages")? { root.group("stages")?.keys() } else { Ok(Vec::new()) }
}

/// The names of the products of a stage.
pub(crate) fn products_of(stage: &dyn Group) -> Result<Vec<String>> {
    let own = |names: Vec<String>| names.into_iter().filter(|n| n != "info" && n != "events").collect::<Vec<_>>();
    let names = own(stage.keys()?);
    // Version 2 has them in a group of its own, whose parts say their kind.
    if names == ["products"]
        && let Ok(products) = stage.group("products")
        && !products.attrs().contains("scalar")?
    {
        return products.keys();
    }
    Ok(names)
}

/// Whether a stage was finalized; one that does not say is taken to be, as spine takes it.
pub(crate) fn status_of(stage: &dyn Group) -> Result<StageStatus> {
    if !stage.contains("info")? {
        return Ok(StageStatus::Complete);
    }
    let Some(value) = stage.group("info")?.attrs().get_array(COMPLETE)? else { return Ok(StageStatus::Complete) };
    let broken = || error!(Corrupt, "the mark of completeness is {value} and not true or false").at(stage.name());
    let first = value.element(0).ok_or_else(broken)?;
    let complete = match first.as_bool() {
        Some(complete) => complete,
        None => {
            let number = value.astype(&DType::F64, Cast::Exact).map_err(|_| broken())?;
            number.element(0).and_then(|e| e.as_f64()).ok_or_else(broken)? != 0.0
        }
    };
    Ok(if complete { StageStatus::Complete } else { StageStatus::Incomplete })
}
