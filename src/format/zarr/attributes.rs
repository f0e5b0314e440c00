//! Attributes: JSON for everybody, and beside it what JSON cannot say.
//!
//! A value is written as the JSON that others expect. If that JSON alone would be read back as another type, shape or value, the exact ones are kept
//! in the reserved attribute `__memh5_types`, and used only while the JSON still says the same.

use super::document::OURS;
use super::json::Object;
use super::labels::{self, LABELS};
use super::object::Handle;
use super::value;
use crate::array::AnyArray;
use crate::error::{Result, bail, error};
use serde_json::{Value, json};

fn check_name(name: &str) -> Result<()> {
    if name == OURS {
        bail!(Unsupported, "the attribute '{OURS}' is the one under which Zarr stores keep the exact types");
    }
    Ok(())
}

pub(super) fn names(handle: &Handle) -> Result<Vec<String>> {
    handle.tree.reading(|| {
        let document = handle.node.document.read();
        let mut names = labels::listed(&document);
        if !document.is_tracked() {
            names.sort_unstable();
        }
        Ok(names)
    })
}

pub(super) fn count(handle: &Handle) -> Result<usize> {
    handle.tree.reading(|| Ok(labels::listed(&handle.node.document.read()).len()))
}

pub(super) fn exists(handle: &Handle, name: &str) -> Result<bool> {
    handle.tree.reading(|| {
        let document = handle.node.document.read();
        Ok(document.attributes.contains_key(name) || name == LABELS && labels::of(&document).is_some())
    })
}

pub(super) fn read(handle: &Handle, name: &str) -> Result<Option<AnyArray>> {
    handle.tree.reading(|| {
        let document = handle.node.document.read();
        let noted = document.ours.get("attributes").and_then(|a| a.get(name));
        if let Some(names) = Some(()).filter(|()| name == LABELS).and_then(|()| labels::of(&document)) {
            let exact = noted.and_then(|n| value::exact(n).ok());
            let exact = exact.filter(|array| labels::from_array(&document, array).as_ref() == Some(&names));
            return Ok(Some(exact.unwrap_or_else(|| AnyArray::from_strings(names))));
        }
        let Some(json) = document.attributes.get(name) else { return Ok(None) };
        if let Some(array) = noted.and_then(|n| value::exact(n).ok())
            && value::to_json(&array) == *json
        {
            return Ok(Some(array));
        }
        value::from_json(json).map(Some).map_err(|e| error!(Corrupt, "the attribute '{name}' cannot be read").because(e))
    })
}

pub(super) fn write(handle: &Handle, name: &str, array: &AnyArray) -> Result<()> {
    handle.tree.writing(|| {
        check_name(name)?;
        if array.dtype().has_references() {
            bail!(Unsupported, "Zarr cannot hold references, and the attribute '{name}' has some");
        }
        let json = value::to_json(array);
        let plain = value::from_json(&json).is_ok_and(|back| value::is_same(&back, array));
        let note = if plain { None } else { Some(value::to_exact(array)?) };
        {
            let mut document = handle.node.document.write();
            match Some(array).filter(|_| name == LABELS).and_then(|array| labels::from_array(&document, array)) {
                Some(names) => labels::set(&mut document, &names),
                None => {
                    if name == LABELS {
                        labels::remove(&mut document);
                    }
                    labels::note_own(&mut document, name, true);
                    if document.is_tracked() {
                        document.attributes.shift_remove(name);
                    }
                    document.attributes.insert(name.to_owned(), json);
                }
            }
            set_note(&mut document.ours, name, note);
        }
        handle.tree.touch(&handle.node)
    })
}

pub(super) fn delete(handle: &Handle, name: &str) -> Result<bool> {
    handle.tree.writing(|| {
        {
            let mut document = handle.node.document.write();
            let labels = name == LABELS && labels::remove(&mut document);
            if document.attributes.shift_remove(name).is_none() && !labels {
                return Ok(false);
            }
            labels::note_own(&mut document, name, false);
            set_note(&mut document.ours, name, None);
        }
        handle.tree.touch(&handle.node)?;
        Ok(true)
    })
}

fn set_note(ours: &mut Object, name: &str, note: Option<Value>) {
    match note {
        Some(note) => {
            if let Some(notes) = ours.entry("attributes").or_insert_with(|| json!({})).as_object_mut() {
                notes.insert(name.to_owned(), note);
            }
        }
        None => {
            if let Some(notes) = ours.get_mut("attributes").and_then(Value::as_object_mut) {
                notes.shift_remove(name);
                if notes.is_empty() {
                    ours.shift_remove("attributes");
                }
            }
        }
    }
}
