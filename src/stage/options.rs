//! What is written to a stage beside its events: configuration and attributes.

use super::status::{CFG, COMPLETE, PRIVATE};
use super::yaml;
use crate::array::{AnyArray, IntoArray};
use crate::error::{Context, Result, bail, error};
use crate::tree::{Attributes, AttributesExt};

/// The further arguments of [`write_stage`](super::StageHdf5Writer::write_stage): `cfg`, `attrs` and `overwrite_stage`.
///
/// ```
/// use memh5::stage::StageOptions;
/// let options = StageOptions::new().cfg(&std::collections::BTreeMap::from([("lr", 0.001)]))?.attr("tag", "v3")?;
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct StageOptions {
    cfg: Option<String>,
    attrs: Vec<(String, AnyArray)>,
    pub(super) overwrite_stage: bool,
}

impl StageOptions {
    /// No configuration, no attributes, no overwriting.
    pub fn new() -> Self {
        Self::default()
    }

    /// The configuration of the run: any mapping that serde can serialise. It is stored as plain YAML, which spine's readers take; tuples
    /// become lists.
    ///
    /// # Errors
    /// `InvalidArgument` if it is no mapping, or has keys that are no text.
    pub fn cfg(mut self, cfg: &(impl serde::Serialize + ?Sized)) -> Result<Self> {
        self.cfg = Some(yaml::to_text(cfg).context("/", "write the configuration")?);
        Ok(self)
    }

    /// The configuration as YAML text, checked to be plain.
    ///
    /// # Errors
    /// `Corrupt` if spine's reader, which loads plain YAML only, could not read it.
    pub fn cfg_text(mut self, text: &str) -> Result<Self> {
        yaml::check_plain(text).context("/", "write the configuration")?;
        match yaml::from_text(text).context("/", "write the configuration")? {
            crate::copy::Json::Object(_) => {}
            _ => bail!(InvalidArgument, "a configuration is a mapping of names to values"),
        }
        self.cfg = Some(text.to_owned());
        Ok(self)
    }

    /// An attribute of the stage. Later calls with other attributes add to those that are there.
    ///
    /// # Errors
    /// `InvalidName` for the names that the layout uses itself (`complete`, `cfg`, `memh5_..`), `Dtype`.
    pub fn attr(mut self, name: &str, value: impl IntoArray) -> Result<Self> {
        if name.is_empty() || name.contains('\0') || matches!(name, COMPLETE | CFG) || name.starts_with(PRIVATE) {
            return Err(error!(InvalidName, "{name:?} cannot be the name of an attribute of a stage").remedy("choose another name"));
        }
        let value = value.into_array()?;
        value.check_storable()?;
        self.attrs.retain(|(n, _)| n != name);
        self.attrs.push((name.to_owned(), value));
        Ok(self)
    }

    /// Replaces the stage if it is complete. It holds once: what the session has written since is not replaced by its later calls.
    #[must_use]
    pub fn overwrite_stage(mut self, overwrite: bool) -> Self {
        self.overwrite_stage = overwrite;
        self
    }

    pub(super) fn write(&self, attrs: &dyn Attributes) -> Result<()> {
        if let Some(cfg) = &self.cfg {
            attrs.set(CFG, cfg.as_str())?;
        }
        self.attrs.iter().try_for_each(|(name, value)| attrs.set(name, value))
    }
}
