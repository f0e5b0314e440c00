//! Opening a file as the type as which it was saved.

use super::{LoadOptions, MemDiskGroup};
use crate::error::{Result, error};
use std::any::{Any, type_name};
use std::collections::HashMap;
use std::path::Path;

type Value = Box<dyn Any + Send + Sync>;
type Constructor = Box<dyn Fn(MemDiskGroup) -> Result<Value> + Send + Sync>;

/// From type tags to the constructors of containers.
///
/// ```
/// use memh5::{MemDiskGroup, Result, mem_disk::{Registry, Typed}, prelude::*};
/// struct Night(MemDiskGroup);
/// let mut registry = Registry::new();
/// registry.register("survey.Night", |group| Ok(Night(group)));
/// let group = MemDiskGroup::new().with_type_tag("survey.Night");
/// let night: Night = registry.typed(group)?.downcast()?;
/// assert!(matches!(registry.typed(night.0.with_type_tag("other"))?, Typed::Unknown { .. }));
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Default)]
pub struct Registry {
    constructors: HashMap<String, Constructor>,
}

/// What a [`Registry`] has made of a group.
pub enum Typed {
    /// The container whose constructor is registered for the tag.
    Known {
        /// The tag.
        tag: String,
        /// The container; [`downcast`](Typed::downcast) gets it out.
        value: Box<dyn Any + Send + Sync>,
    },
    /// A group without a tag, or with one that is not registered.
    Unknown {
        /// The tag, if there is one.
        tag: Option<String>,
        /// The group.
        group: MemDiskGroup,
    },
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how the container of a tag is made; a later call for the same tag replaces an earlier one.
    pub fn register<T: Any + Send + Sync>(
        &mut self,
        tag: impl Into<String>,
        constructor: impl Fn(MemDiskGroup) -> Result<T> + Send + Sync + 'static,
    ) {
        let make: Constructor = Box::new(move |group| constructor(group).map(|value| Box::new(value) as Value));
        self.constructors.insert(tag.into(), make);
    }

    /// Makes the container that the tag of a group names. An unknown tag is no error.
    ///
    /// # Errors
    /// Those of the constructor.
    pub fn typed(&self, group: MemDiskGroup) -> Result<Typed> {
        let tag = group.type_tag()?;
        match tag.as_ref().and_then(|t| self.constructors.get(t).map(|c| (t.clone(), c))) {
            Some((tag, constructor)) => Ok(Typed::Known { value: constructor(group.with_type_tag(tag.clone()))?, tag }),
            None => Ok(Typed::Unknown { tag, group }),
        }
    }

    /// Opens a file as what it was saved as. An unknown tag is no error.
    ///
    /// # Errors
    /// As [`LoadOptions::open`], and those of the constructor.
    pub fn open(&self, path: impl AsRef<Path>, options: LoadOptions) -> Result<Typed> {
        self.typed(options.open(path)?)
    }
}

impl Typed {
    /// The container, if it is one of this type.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the tag, if it is another.
    pub fn downcast<T: Any>(self) -> Result<T> {
        let name = type_name::<T>();
        match self {
            Self::Known { tag, value } => value
                .downcast()
                .map(|value| *value)
                .map_err(|_| error!(InvalidArgument, "the container with the type tag '{tag}' is no {name}")),
            Self::Unknown { tag: Some(tag), .. } => {
                Err(error!(InvalidArgument, "the type tag '{tag}' is not registered, and so the group is no {name}"))
            }
            Self::Unknown { tag: None, .. } => Err(error!(InvalidArgument, "the group has no type tag, and so it is no {name}")),
        }
    }

    /// The tag, if there is one.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Known { tag, .. } => Some(tag),
            Self::Unknown { tag, .. } => tag.as_deref(),
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut tags: Vec<_> = self.constructors.keys().collect();
        tags.sort_unstable();
        f.debug_tuple("Registry").field(&tags).finish()
    }
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known { tag, .. } => f.debug_struct("Known").field("tag", tag).finish_non_exhaustive(),
            Self::Unknown { tag, group } => f.debug_struct("Unknown").field("tag", tag).field("group", group).finish(),
        }
    }
}
