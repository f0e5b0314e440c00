//! The metadata of one object: what the files say, apart from where they are.

use super::json::{self, Object};
use super::store::{Store, join};
use super::version::ZarrVersion;
use crate::error::{Result, bail};
use serde_json::Value;

/// The attribute under which we keep what JSON and Zarr cannot say.
pub(super) const OURS: &str = "__memh5_types";

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    Array,
}

/// The metadata of one object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) version: ZarrVersion,
    pub(super) kind: Kind,
    /// All but the attributes.
    pub(super) meta: Object,
    /// The attributes that users see.
    pub(super) attributes: Object,
    /// The content of the reserved attribute.
    pub(super) ours: Object,
}

impl Document {
    /// An empty group.
    pub(super) fn group(version: ZarrVersion) -> Self {
        let mut meta = Object::new();
        match version {
            ZarrVersion::V3 => {
                meta.insert("zarr_format".into(), 3.into());
                meta.insert("node_type".into(), "group".into());
            }
            ZarrVersion::V2 => {
                meta.insert("zarr_format".into(), 2.into());
            }
        }
        Self { version, kind: Kind::Group, meta, attributes: Object::new(), ours: Object::new() }
    }

    /// Reads the metadata below a key; `None` if there is no object. That of the preferred version is looked for first.
    pub(super) fn load(store: &Store, key: &str, prefer: ZarrVersion) -> Result<Option<Self>> {
        let other = if prefer == ZarrVersion::V3 { ZarrVersion::V2 } else { ZarrVersion::V3 };
        for version in [prefer, other] {
            let found = match version {
                ZarrVersion::V3 => Self::load_v3(store, key)?,
                ZarrVersion::V2 => Self::load_v2(store, key)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn load_v3(store: &Store, key: &str) -> Result<Option<Self>> {
        let name = join(key, "zarr.json");
        let Some(bytes) = store.get(&name)? else { return Ok(None) };
        let mut meta = json::parse_object(&bytes, &format!("the metadata '{name}'"))?;
        if meta.get("zarr_format").and_then(Value::as_u64) != Some(3) {
            bail!(Corrupt, "the metadata '{name}' are not those of Zarr version 3");
        }
        let kind = match meta.get("node_type").and_then(Value::as_str) {
            Some("group") => Kind::Group,
            Some("array") => Kind::Array,
            _ => bail!(Corrupt, "the metadata '{name}' say neither group nor array"),
        };
        let attributes = match meta.shift_remove("attributes") {
            None | Some(Value::Null) => Object::new(),
            Some(Value::Object(map)) => map,
            Some(_) => bail!(Corrupt, "the attributes in '{name}' are no JSON object"),
        };
        Ok(Some(Self::split(ZarrVersion::V3, kind, meta, attributes)))
    }

    fn load_v2(store: &Store, key: &str) -> Result<Option<Self>> {
        for (kind, file) in [(Kind::Array, ".zarray"), (Kind::Group, ".zgroup")] {
            let name = join(key, file);
            let Some(bytes) = store.get(&name)? else { continue };
            let meta = json::parse_object(&bytes, &format!("the metadata '{name}'"))?;
            if meta.get("zarr_format").and_then(Value::as_u64) != Some(2) {
                bail!(Corrupt, "the metadata '{name}' are not those of Zarr version 2");
            }
            let name = join(key, ".zattrs");
            let attributes = match store.get(&name)? {
                Some(bytes) => json::parse_object(&bytes, &format!("the attributes '{name}'"))?,
                None => Object::new(),
            };
            return Ok(Some(Self::split(ZarrVersion::V2, kind, meta, attributes)));
        }
        Ok(None)
    }

    fn split(version: ZarrVersion, kind: Kind, meta: Object, mut attributes: Object) -> Self {
        let ours = match attributes.get(OURS) {
            Some(Value::Object(map)) => map.clone(),
            _ => Object::new(),
        };
        attributes.shift_remove(OURS);
        Self { version, kind, meta, attributes, ours }
    }

    /// True if there is an object below a key.
    pub(super) fn exists(store: &Store, key: &str, prefer: ZarrVersion) -> Result<bool> {
        let names = match prefer {
            ZarrVersion::V3 => ["zarr.json", ".zarray", ".zgroup"],
            ZarrVersion::V2 => [".zarray", ".zgroup", "zarr.json"],
        };
        for name in names {
            if store.exists(&join(key, name))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn all_attributes(&self) -> Object {
        let mut all = self.attributes.clone();
        if !self.ours.is_empty() {
            all.insert(OURS.into(), Value::Object(self.ours.clone()));
        }
        all
    }

    /// Writes the metadata below a key. In version 2 the attributes come first, so that an object that is found has them.
    pub(super) fn save(&self, store: &Store, key: &str) -> Result<()> {
        let directory = store.directory()?;
        let attributes = self.all_attributes();
        match self.version {
            ZarrVersion::V3 => {
                let mut whole = self.meta.clone();
                whole.insert("attributes".into(), Value::Object(attributes));
                directory.set(&join(key, "zarr.json"), &json::to_text(&whole)?)
            }
            ZarrVersion::V2 => {
                let name = join(key, ".zattrs");
                if !attributes.is_empty() || directory.exists(&name)? {
                    directory.set(&name, &json::to_text(&attributes)?)?;
                }
                let file = if self.kind == Kind::Array { ".zarray" } else { ".zgroup" };
                directory.set(&join(key, file), &json::to_text(&self.meta)?)
            }
        }
    }

    /// True if the names of children and attributes keep the order in which they were made.
    pub(super) fn is_tracked(&self) -> bool {
        self.ours.get("track_order").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The shape of an array.
    pub(super) fn shape(&self) -> Result<Vec<usize>> {
        match self.meta.get("shape").and_then(json::numbers) {
            Some(shape) if shape.len() <= 32 => Ok(shape),
            Some(shape) => bail!(Unsupported, "the array has {} axes, and at most 32 can be read", shape.len()),
            None => bail!(Corrupt, "the array has no valid shape"),
        }
    }
}
