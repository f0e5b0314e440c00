//! Types by name, as numpy spells them.

use super::{Charset, DType, FloatType, FloatWidth, IntType, Order, Padding};
use crate::error::{Error, Result, error};
use std::str::FromStr;

impl FromStr for DType {
    type Err = Error;

    /// Reads a type by name: numpy's (`f8`, `<i4`, `>u2`, `c16`, `S5`, `|b1`, `float32`, `complex128`), `str`, `ref`, `regref`,
    /// and everything that `Display` writes for nested types: `{x: <f8, y: <f8[2]}`, `vlen(<i4)`, `enum |i1 {A=0, B=1}`.
    ///
    /// ```
    /// use memh5::DType;
    /// assert_eq!("f4".parse::<DType>()?, DType::F32);
    /// assert_eq!("complex128".parse::<DType>()?, DType::C128);
    /// assert_eq!(">i2".parse::<DType>()?.to_string(), ">i2");
    /// let point: DType = "{x: f8, tags: vlen(str), box: i4[2, 2]}".parse()?;
    /// assert_eq!(point.to_string(), "{x: <f8, tags: vlen(str), box: <i4[2, 2]}");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if it names no type.
    fn from_str(text: &str) -> Result<DType> {
        let mut parser = Parser { text, rest: text.trim(), depth: 0 };
        let dtype = parser.dtype()?;
        if !parser.rest.is_empty() {
            return Err(parser.wrong());
        }
        dtype.validate()?;
        Ok(dtype)
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self) -> Error {
        let error = if self.rest.is_empty() || self.rest == self.text.trim() {
            error!(Dtype, "'{}' names no type", self.text)
        } else {
            error!(Dtype, "'{}' names no type: it goes wrong at '{}'", self.text, self.rest)
        };
        error.remedy("say a numpy name (f8, <i4, c16, S5, bool), str, {name: type, ..}, vlen(type) or type[2, 3]")
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.wrong()) }
    }

    /// Everything before one of the characters.
    fn until(&mut self, stops: &[char]) -> &'a str {
        let (word, rest) = self.rest.split_at(self.rest.find(stops).unwrap_or(self.rest.len()));
        self.rest = rest;
        word.trim_end()
    }

    fn dtype(&mut self) -> Result<DType> {
        self.depth += 1;
        if self.depth > 33 {
            return Err(error!(Dtype, "the type is nested more than 32 deep"));
        }
        let mut dtype = self.single()?;
        while self.eat("[") {
            let list = self.until(&[']']);
            let shape: Vec<usize> = list.split(',').map(|n| n.trim().parse()).collect::<Result<_, _>>().map_err(|_| self.wrong())?;
            self.expect("]")?;
            dtype = DType::array(dtype, shape);
        }
        self.depth -= 1;
        Ok(dtype)
    }

    fn single(&mut self) -> Result<DType> {
        if self.eat("{") {
            let mut fields = Vec::new();
            while !self.eat("}") {
                let name = self.until(&[':', '}']);
                self.expect(":")?;
                fields.push((name, self.dtype()?));
                if !self.rest.starts_with('}') {
                    self.expect(",")?;
                }
            }
            return DType::compound(fields);
        }
        if self.eat("vlen(") {
            let base = self.dtype()?;
            self.expect(")")?;
            return Ok(DType::varseq(base));
        }
        if self.eat("enum ") {
            let base = self.until(&['{']);
            let base = named(base).ok_or_else(|| self.wrong())?;
            self.expect("{")?;
            let mut members = Vec::new();
            while !self.eat("}") {
                let name = self.until(&['=', '}']);
                self.expect("=")?;
                let value = self.until(&[',', '}']).parse::<i128>().map_err(|_| self.wrong())?;
                members.push((name, value));
                if !self.rest.starts_with('}') {
                    self.expect(",")?;
                }
            }
            return DType::enumeration(base, members);
        }
        if self.eat("bits ") {
            let word = self.until(&[',', '}', ')', '[']);
            return match named(word) {
                Some(DType::Int(t)) if !t.signed => Ok(DType::BitField(t)),
                _ => Err(self.wrong()),
            };
        }
        // A word ends where another part of a type begins.
        let before = self.rest;
        let word = self.until(&[',', '}', ')', '[', ' ', '(']);
        let Some(dtype) = named(word) else {
            self.rest = before;
            return Err(self.wrong());
        };
        self.rest = self.rest.trim_start();
        self.notes(dtype)
    }

    /// What `Display` writes in brackets behind a string or opaque type.
    fn notes(&mut self, dtype: DType) -> Result<DType> {
        if !self.eat("(") {
            return Ok(dtype);
        }
        let notes = self.until(&[')']);
        self.expect(")")?;
        Ok(match dtype {
            DType::Opaque { size, .. } => DType::opaque(size, notes),
            DType::VarString { padding, .. } if notes == "ascii" => DType::VarString { charset: Charset::Ascii, padding },
            DType::FixedString { size, mut charset, mut padding } => {
                for note in notes.split(',').map(str::trim) {
                    match note {
                        "utf-8" => charset = Charset::Utf8,
                        "nul-terminated" => padding = Padding::NullTerm,
                        "blank-padded" => padding = Padding::SpacePad,
                        _ => return Err(self.wrong()),
                    }
                }
                DType::FixedString { size, charset, padding }
            }
            _ => return Err(self.wrong()),
        })
    }
}

/// A type of one word.
fn named(word: &str) -> Option<DType> {
    let long = |order| DType::Float(FloatType { width: FloatWidth::LongDouble, order });
    match word {
        "bool" | "|b1" | "b1" | "?" => return Some(DType::Bool),
        "str" | "string" => return Some(DType::STR),
        "ref" => return Some(DType::ObjectRef),
        "regref" => return Some(DType::RegionRef),
        "int8" => return Some(DType::I8),
        "int16" => return Some(DType::I16),
        "int32" => return Some(DType::I32),
        "int64" | "int" => return Some(DType::I64),
        "uint8" => return Some(DType::U8),
        "uint16" => return Some(DType::U16),
        "uint32" => return Some(DType::U32),
        "uint64" => return Some(DType::U64),
        "float16" | "half" => return Some(DType::F16),
        "float32" | "single" => return Some(DType::F32),
        "float64" | "float" | "double" => return Some(DType::F64),
        "float128" | "longdouble" => return Some(long(Order::NATIVE)),
        "complex64" => return Some(DType::C64),
        "complex128" | "complex" => return Some(DType::C128),
        _ => {}
    }
    let (order, rest) = match word.split_at_checked(1)? {
        ("<", rest) => (Order::Little, rest),
        (">", rest) => (Order::Big, rest),
        ("=" | "|", rest) => (Order::NATIVE, rest),
        _ => (Order::NATIVE, word),
    };
    let (letter, digits) = rest.split_at_checked(1)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size: usize = digits.parse().ok()?;
    let width = |size: usize| match size {
        2 => Some(FloatWidth::F16),
        4 => Some(FloatWidth::F32),
        8 => Some(FloatWidth::F64),
        16 => Some(FloatWidth::LongDouble),
        _ => None,
    };
    match (letter, size) {
        ("i" | "u", 1 | 2 | 4 | 8) => {
            // One byte has no order; it is written as the library does.
            let order = if size == 1 && !word.starts_with('>') { Order::NATIVE } else { order };
            Some(DType::Int(IntType { size: size as u8, signed: letter == "i", order }))
        }
        ("f", _) => Some(DType::Float(FloatType { width: width(size)?, order })),
        ("c", _) if size.is_multiple_of(2) => Some(DType::Complex(FloatType { width: width(size / 2)?, order })),
        ("S", _) => Some(DType::fixed_ascii(size)),
        ("V", _) => Some(DType::opaque(size, "")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_display_writes_is_read_back() {
        let names = [
            "bool",
            "|i1",
            "<u2",
            ">i4",
            "<u8",
            ">f2",
            "<f4",
            "<f8",
            "<f16",
            "<c8",
            ">c16",
            "<c32",
            "|S5",
            "|S5 (utf-8)",
            "|S5 (utf-8, nul-terminated)",
            "|S7 (blank-padded)",
            "str",
            "str (ascii)",
            "|V3",
            "|V3 (a tag)",
            "ref",
            "regref",
            "bits <u4",
            "bits |u1",
            "vlen(<i4)",
            "vlen(vlen(str))",
            "<f8[2, 3]",
            "enum <u2 {A=0, B=65535}",
            "{x: <f8, y: {a: |S3 (utf-8), b: vlen({c: |i1})}, z: >f4[3], e: enum |i1 {NO=-1}, o: |V1 (t)}",
        ];
        for name in names {
            assert_eq!(name.parse::<DType>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn short_names_are_numpys() {
        for (name, dtype) in
            [("f4", DType::F32), ("=i8", DType::I64), ("b1", DType::Bool), ("S3", DType::fixed_ascii(3)), ("uint16", DType::U16)]
        {
            assert_eq!(name.parse::<DType>().unwrap(), dtype);
        }
        let deep = format!("{}i4{}", "vlen(".repeat(40), ")".repeat(40));
        for bad in [
            "",
            "f3",
            "i16",
            "x8",
            "f",
            "é",
            "f8x",
            "{a f8}",
            "{a: f8",
            "{}",
            "vlen(f8",
            "f8[",
            "f8[0]",
            "f8[a]",
            "S0",
            "c6",
            "f+8",
            "enum f8 {A=1}",
            "enum i1 {A=1000}",
            "bits f8",
            "f8 (utf-8)",
            &deep,
        ] {
            let error = bad.parse::<DType>().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Dtype, "{bad}");
        }
    }
}
