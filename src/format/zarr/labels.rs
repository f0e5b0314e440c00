//! The names of the axes of an array.
//!
//! Every residence has them as the attribute `DIMENSION_LABELS`, which is what HDF5 and `dims[i].label` of h5py call them. Zarr 3 has a word of its own for them,
//! `dimension_names`; in Zarr 2, xarray has made the attribute `_ARRAY_DIMENSIONS` the custom. So they go from one to the other with the attributes.

use super::document::{Document, Kind};
use super::version::ZarrVersion;
use crate::array::AnyArray;
use serde_json::{Value, json};

/// The attribute.
pub(super) const LABELS: &str = "DIMENSION_LABELS";
/// Where xarray has them in Zarr 2.
const XARRAY: &str = "_ARRAY_DIMENSIONS";
/// Our note that somebody has written the attribute of xarray under its own name.
const OWN: &str = "array_dimensions";

/// The names of the axes, empty for one that has none; `None` if no axis has one, or if what is there is none for each axis.
pub(super) fn of(document: &Document) -> Option<Vec<String>> {
    if document.kind != Kind::Array {
        return None;
    }
    let v3 = document.version == ZarrVersion::V3;
    let list = match v3 {
        true => document.meta.get("dimension_names"),
        false => document.attributes.get(XARRAY).filter(|_| !document.ours.contains_key(OWN) && !document.attributes.contains_key(LABELS)),
    };
    let name = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        Value::Null if v3 => Some(String::new()),
        _ => None,
    };
    let names: Vec<String> = list?.as_array()?.iter().map(name).collect::<Option<_>>()?;
    fits(document, &names).then_some(names)
}

fn fits(document: &Document, names: &[String]) -> bool {
    let empty = names.iter().filter(|name| name.is_empty()).count();
    // xarray wants a name for every axis.
    let enough = if document.version == ZarrVersion::V3 { empty < names.len() } else { empty == 0 && !names.is_empty() };
    enough && document.shape().is_ok_and(|shape| shape.len() == names.len())
}

/// The names that an attribute says, if the document has a place for them.
pub(super) fn from_array(document: &Document, array: &AnyArray) -> Option<Vec<String>> {
    if document.kind != Kind::Array || array.shape().len() != 1 || !array.dtype().is_string() {
        return None;
    }
    let names: Vec<String> = array.elements().map(|e| e.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    fits(document, &names).then_some(names)
}

/// The names of all attributes, in the order of the document.
pub(super) fn listed(document: &Document) -> Vec<String> {
    let mut names: Vec<String> = document.attributes.keys().cloned().collect();
    if of(document).is_some() && !document.attributes.contains_key(LABELS) {
        match names.iter_mut().find(|name| document.version == ZarrVersion::V2 && *name == XARRAY) {
            Some(name) => LABELS.clone_into(name),
            None => names.push(LABELS.to_owned()),
        }
    }
    names
}

/// Puts the names where other programs look for them.
pub(super) fn set(document: &mut Document, names: &[String]) {
    let tracked = document.is_tracked();
    match document.version {
        ZarrVersion::V3 => {
            let all: Vec<Value> = names.iter().map(|n| if n.is_empty() { Value::Null } else { n.as_str().into() }).collect();
            document.meta.insert("dimension_names".into(), all.into());
            document.attributes.shift_remove(LABELS);
            if tracked {
                // The attribute too, for its place among the others.
                document.attributes.insert(LABELS.to_owned(), json!(names));
            }
        }
        ZarrVersion::V2 => {
            document.attributes.shift_remove(LABELS);
            document.ours.shift_remove(OWN);
            if tracked {
                document.attributes.shift_remove(XARRAY);
            }
            document.attributes.insert(XARRAY.to_owned(), json!(names));
        }
    }
}

/// Takes the names away; true if there were any.
pub(super) fn remove(document: &mut Document) -> bool {
    if of(document).is_none() {
        return false;
    }
    match document.version {
        ZarrVersion::V3 => drop(document.meta.shift_remove("dimension_names")),
        ZarrVersion::V2 => drop(document.attributes.shift_remove(XARRAY)),
    }
    document.attributes.shift_remove(LABELS);
    true
}

/// Notes that an attribute is written, or deleted, under its own name.
pub(super) fn note_own(document: &mut Document, name: &str, written: bool) {
    if name == XARRAY && document.version == ZarrVersion::V2 && document.kind == Kind::Array {
        match written {
            true => drop(document.ours.insert(OWN.into(), true.into())),
            false => drop(document.ours.shift_remove(OWN)),
        }
    }
}
