//! Attributes: copying them, and caput's rule for structured values.

use super::json::Json;
use super::strings::StringConversion;
use crate::array::AnyArray;
use crate::error::{Context, Result};
use crate::tree::{Attributes, AttributesExt};

/// What stands before JSON text in an attribute that holds a structured value.
pub const JSON_PREFIX: &str = "!!_memh5_json:";

/// How attributes are copied. The default keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttrOptions {
    /// What becomes of strings.
    pub strings: StringConversion,
}

/// What [`copy_attrs`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttrsReport {
    /// How many attributes were set.
    pub copied: usize,
    /// Those whose strings were converted.
    pub converted: Vec<String>,
    /// Those that claim to be JSON and are malformed, with what is wrong. They were copied as the texts that they are.
    pub malformed: Vec<(String, String)>,
}

/// Copies all attributes of one object to another: caput's `copyattrs`.
///
/// Attributes of the same names are replaced, others stay. Types, shapes and bytes are kept, structured values too: they are texts with
/// [`JSON_PREFIX`], on every backend. Object and region references can only be copied within one tree;
/// [`deep_group_copy`](super::deep_group_copy) repoints them.
///
/// # Errors
/// `ReadOnly`; `Dtype` if a string cannot be converted as asked for; `InvalidArgument` for a reference into another tree.
pub fn copy_attrs(from: &dyn Attributes, to: &dyn Attributes, options: AttrOptions) -> Result<AttrsReport> {
    let mut report = AttrsReport::default();
    for (name, value) in from.items()? {
        if let Some(Err(e)) = json_text(&value).map(|t| t.parse::<Json>()) {
            report.malformed.push((name.clone(), e.message().to_owned()));
        }
        let write = || {
            let converted = options.strings.convert(&value)?;
            to.attr_write(&name, &converted)?;
            Ok(converted.dtype() != value.dtype())
        };
        if write().context(&to.attr_owner(), &format!("copy the attribute '{name}'"))? {
            report.converted.push(name);
        }
        report.copied += 1;
    }
    Ok(report)
}

/// The text behind the prefix, if the value is one string that begins with it.
pub(crate) fn json_text(value: &AnyArray) -> Option<String> {
    if !value.dtype().is_string() || value.len() != 1 {
        return None;
    }
    let bytes = value.string_bytes(value.dtype(), value.element(0)?.bytes())?;
    let text = bytes.strip_prefix(JSON_PREFIX.as_bytes())?;
    String::from_utf8(text.to_vec()).ok()
}

/// An attribute as caput's users see it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AttrValue {
    /// A structured value: it was stored as text with [`JSON_PREFIX`].
    Json(Json),
    /// Anything else.
    Array(AnyArray),
    /// A text that begins with the prefix, but what follows is malformed: the whole text, and what is wrong.
    Malformed {
        /// The text as it is stored.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads an attribute with caput's rule: a text that begins with [`JSON_PREFIX`] is a structured value. Malformed JSON is no error.
///
/// # Errors
/// `Corrupt` or `Io` if it cannot be read. `None` if there is none.
pub fn attr_value(attrs: &dyn Attributes, name: &str) -> Result<Option<AttrValue>> {
    let Some(array) = attrs.get_array(name)? else { return Ok(None) };
    Ok(Some(match json_text(&array) {
        None => AttrValue::Array(array),
        Some(text) => match text.parse() {
            Ok(json) => AttrValue::Json(json),
            Err(e) => AttrValue::Malformed { reason: e.message().to_owned(), text: format!("{JSON_PREFIX}{text}") },
        },
    }))
}
