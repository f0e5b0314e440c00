//! The names of types: numpy's where numpy has one.

use super::{Charset, DType, FloatWidth, IntType, Order, Padding};
use std::fmt;

fn order_mark(order: Order) -> char {
    match order {
        Order::Little => '<',
        Order::Big => '>',
    }
}

fn write_int(f: &mut fmt::Formatter<'_>, t: &IntType, letter: char) -> fmt::Result {
    let mark = if t.size == 1 { '|' } else { order_mark(t.order) };
    write!(f, "{mark}{letter}{}", t.size)
}

impl fmt::Display for DType {
    /// numpy's name where there is one (`<f8`, `|S5`), else a readable one (`{x: <f8, y: <f8}`, `vlen(<i4)`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int(t) => write_int(f, t, if t.signed { 'i' } else { 'u' }),
            Self::BitField(t) => {
                f.write_str("bits ")?;
                write_int(f, t, 'u')
            }
            Self::Float(t) => write!(f, "{}f{}", order_mark(t.order), t.width.size()),
            Self::Complex(t) => write!(f, "{}c{}", order_mark(t.order), 2 * t.width.size()),
            Self::FixedString { size, charset, padding } => {
                write!(f, "|S{size}")?;
                let mut notes = Vec::new();
                if *charset == Charset::Utf8 {
                    notes.push("utf-8");
                }
                match padding {
                    Padding::NullPad => {}
                    Padding::NullTerm => notes.push("nul-terminated"),
                    Padding::SpacePad => notes.push("blank-padded"),
                }
                if notes.is_empty() { Ok(()) } else { write!(f, " ({})", notes.join(", ")) }
            }
            Self::VarString { charset: Charset::Utf8, .. } => f.write_str("str"),
            Self::VarString { charset: Charset::Ascii, .. } => f.write_str("str (ascii)"),
            Self::Opaque { size, tag } if tag.is_empty() => write!(f, "|V{size}"),
            Self::Opaque { size, tag } => write!(f, "|V{size} ({tag})"),
            Self::Enum(e) => {
                write!(f, "enum {} {{", DType::Int(e.base))?;
                for (i, (name, value)) in e.members.iter().enumerate() {
                    write!(f, "{}{name}={value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Compound(c) => {
                f.write_str("{")?;
                for (i, field) in c.fields().iter().enumerate() {
                    write!(f, "{}{}: {}", if i == 0 { "" } else { ", " }, field.name, field.dtype)?;
                }
                f.write_str("}")
            }
            Self::Array { base, shape } => write!(f, "{base}{shape:?}"),
            Self::VarSeq(base) => write!(f, "vlen({base})"),
            Self::ObjectRef => f.write_str("ref"),
            Self::RegionRef => f.write_str("regref"),
            Self::Foreign(t) => write!(f, "{} ({} bytes)", t.description, t.size),
        }
    }
}

impl DType {
    /// The name in the output of `memh5 dump`: byte order is not content, so it is always given as little-endian.
    ///
    /// The definition is that of the reference program of `dump` (see `docs/dump.md`).
    pub fn dump_name(&self) -> serde_json::Value {
        use serde_json::{Value, json};
        match self {
            Self::Bool => "|b1".into(),
            Self::Int(t) => int_name(t, if t.signed { 'i' } else { 'u' }).into(),
            Self::BitField(t) => int_name(t, 'u').into(),
            Self::Float(t) => format!("<f{}", t.width.size()).into(),
            Self::Complex(t) => match t.width {
                FloatWidth::F32 => "<c8".into(),
                FloatWidth::F64 => "<c16".into(),
                _ => {
                    let part = DType::Float(*t).dump_name();
                    json!([["r", part], ["i", part]])
                }
            },
            Self::FixedString { size, .. } => format!("|S{size}").into(),
            Self::VarString { .. } => "str".into(),
            Self::Opaque { size, .. } => format!("|V{size}").into(),
            Self::Enum(e) => {
                let boolean = e.base.size == 1
                    && e.members.len() == 2
                    && e.members.iter().all(|(n, v)| (n == "FALSE" && *v == 0) || (n == "TRUE" && *v == 1));
                if boolean {
                    return "|b1".into();
                }
                let members: serde_json::Map<String, Value> = e.members.iter().map(|(n, v)| (n.clone(), int_value(*v))).collect();
                json!({ "enum": [DType::Int(e.base).dump_name(), members] })
            }
            Self::Compound(c) => {
                let names: Vec<(&str, Value)> = c.fields().iter().map(|f| (f.name.as_str(), f.dtype.dump_name())).collect();
                if let [("r", r), ("i", i)] = names.as_slice() {
                    if r == i && r == "<f4" {
                        return "<c8".into();
                    }
                    if r == i && r == "<f8" {
                        return "<c16".into();
                    }
                }
                names.into_iter().map(|(n, d)| json!([n, d])).collect()
            }
            Self::Array { base, shape } => json!({ "array": [base.dump_name(), &shape[..]] }),
            Self::VarSeq(base) => json!({ "vlen": base.dump_name() }),
            Self::ObjectRef => "ref".into(),
            Self::RegionRef => "regref".into(),
            Self::Foreign(t) => format!("|V{}", t.size).into(),
        }
    }
}

fn int_name(t: &IntType, letter: char) -> String {
    format!("{}{letter}{}", if t.size == 1 { '|' } else { '<' }, t.size)
}

fn int_value(v: i128) -> serde_json::Value {
    i64::try_from(v).map(Into::into).or_else(|_| u64::try_from(v).map(Into::into)).unwrap_or_else(|_| v.to_string().into())
}
