//! The literals of Python, as far as headers of `.npy` files have them.

use crate::error::{Result, bail};

/// A Python literal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Py {
    Str(String),
    Int(u64),
    Bool(bool),
    Tuple(Vec<Py>),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
}

/// Nothing in a header is nested deeper.
const DEPTH: usize = 64;

/// Reads one literal; nothing but blanks may follow.
pub(super) fn parse(text: &str) -> Result<Py> {
    let mut parser = Parser { rest: text };
    let value = parser.value(0)?;
    parser.blanks();
    if !parser.rest.is_empty() {
        bail!(Corrupt, "the header goes on behind its end: {:?}", head(parser.rest));
    }
    Ok(value)
}

fn head(text: &str) -> String {
    text.chars().take(20).collect()
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Py> {
        if depth > DEPTH {
            bail!(Corrupt, "the header is nested too deep");
        }
        self.blanks();
        match self.rest.chars().next() {
            Some('(') => {
                self.eat("(");
                let (items, comma) = self.items(")", depth)?;
                match <[Py; 1]>::try_from(items) {
                    Ok([one]) if !comma => Ok(one),
                    Ok(one) => Ok(Py::Tuple(one.to_vec())),
                    Err(items) => Ok(Py::Tuple(items)),
                }
            }
            Some('[') => {
                self.eat("[");
                Ok(Py::List(self.items("]", depth)?.0))
            }
            Some('{') => {
                self.eat("{");
                self.dict(depth)
            }
            Some('0'..='9') => self.number(),
            Some('\'' | '"') => self.string(),
            Some('u' | 'b') if self.rest[1..].starts_with(['\'', '"']) => {
                // Python 2 told text and bytes apart.
                self.rest = &self.rest[1..];
                self.string()
            }
            _ if self.eat("True") => Ok(Py::Bool(true)),
            _ if self.eat("False") => Ok(Py::Bool(false)),
            _ => bail!(Corrupt, "the header has {:?} where a value should be", head(self.rest)),
        }
    }

    /// The items up to the end, and whether a comma stands behind the last one.
    fn items(&mut self, end: &str, depth: usize) -> Result<(Vec<Py>, bool)> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(end) {
            if !items.is_empty() && !comma {
                bail!(Corrupt, "the header lacks a comma before {:?}", head(self.rest));
            }
            items.push(self.value(depth + 1)?);
            comma = self.eat(",");
        }
        Ok((items, comma))
    }

    fn dict(&mut self, depth: usize) -> Result<Py> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat("}") {
            if !items.is_empty() && !comma {
                bail!(Corrupt, "the header lacks a comma before {:?}", head(self.rest));
            }
            let key = self.value(depth + 1)?;
            if !self.eat(":") {
                bail!(Corrupt, "the header lacks a colon before {:?}", head(self.rest));
            }
            items.push((key, self.value(depth + 1)?));
            comma = self.eat(",");
        }
        Ok(Py::Dict(items))
    }

    fn number(&mut self) -> Result<Py> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        // The long integers of Python 2.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        match digits.parse() {
            Ok(n) => Ok(Py::Int(n)),
            Err(_) => bail!(Corrupt, "the header has the number {digits}, which is too large"),
        }
    }

    fn string(&mut self) -> Result<Py> {
        let mut chars = self.rest.chars();
        let quote = chars.next();
        let mut out = String::new();
        loop {
            let Some(c) = chars.next() else { bail!(Corrupt, "a text of the header has no end") };
            if Some(c) == quote {
                break;
            }
            if c != '\\' {
                out.push(c);
                continue;
            }
            let escaped = match chars.next() {
                Some('x') => hex(&mut chars, 2),
                Some('u') => hex(&mut chars, 4),
                Some('U') => hex(&mut chars, 8),
                Some('n') => Some('\n'),
                Some('r') => Some('\r'),
                Some('t') => Some('\t'),
                Some(c @ ('\\' | '\'' | '"')) => Some(c),
                _ => None,
            };
            match escaped {
                Some(c) => out.push(c),
                None => bail!(Corrupt, "the header has an escape that means nothing"),
            }
        }
        self.rest = chars.as_str();
        Ok(Py::Str(out))
    }
}

fn hex(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let text: String = chars.by_ref().take(digits).collect();
    u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits).and_then(char::from_u32)
}

/// A text as Python's `repr` writes it.
pub(super) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_headers() {
        let h = parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4L,), }  \n").unwrap();
        let Py::Dict(items) = h else { panic!() };
        assert_eq!(items[0], (Py::Str("descr".into()), Py::Str("<f8".into())));
        assert_eq!(items[2].1, Py::Tuple(vec![Py::Int(3), Py::Int(4)]));
        assert_eq!(parse("(3,)").unwrap(), Py::Tuple(vec![Py::Int(3)]));
        assert_eq!(parse("()").unwrap(), Py::Tuple(vec![]));
        assert_eq!(parse("[('a', u'<i4'), (\"b'\", '|S3', (2,))]").unwrap(), parse("[('a','<i4',),('b\\'','|S3',(2,)),]").unwrap());
        for text in ["a b", "it's", "say \"it's\"", "\\", "é\n\x01"] {
            assert_eq!(parse(&quoted(text)).unwrap(), Py::Str(text.into()), "{text:?}");
        }
        for bad in ["", "{", "(1 2)", "{'a' 1}", "'x", "1 2", "'\\q'", "nan", "99999999999999999999999", &"[".repeat(100)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
