//! From text to a value, with what Python's reader accepts beyond the standard.

use super::Json;
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// How deep lists and objects may be nested.
pub(super) const MAX_DEPTH: usize = 128;

pub(super) fn parse(text: &str) -> Result<Json> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.fail("something follows the value"));
    }
    Ok(value)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn fail(&self, what: &str) -> Error {
        Error::new(ErrorKind::Corrupt, format!("malformed JSON at byte {}: {what}", self.at))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Skips the token if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > MAX_DEPTH {
            return Err(self.fail("it is nested deeper than 128 levels"));
        }
        self.space();
        if self.eat("{") {
            return self.object(depth);
        }
        if self.eat("[") {
            return self.array(depth);
        }
        if self.eat("\"") {
            return Ok(Json::String(self.string()?));
        }
        for (token, value) in [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("NaN", Json::Float(f64::NAN)),
            ("Infinity", Json::Float(f64::INFINITY)),
            ("-Infinity", Json::Float(f64::NEG_INFINITY)),
        ] {
            if self.eat(token) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn array(&mut self, depth: usize) -> Result<Json> {
        let mut items = Vec::new();
        self.space();
        if self.eat("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat("]") {
                return Ok(Json::Array(items));
            }
            if !self.eat(",") {
                return Err(self.fail("',' or ']' is missing in a list"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json> {
        let mut items: Vec<(String, Json)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        self.space();
        if self.eat("}") {
            return Ok(Json::Object(items));
        }
        loop {
            self.space();
            if !self.eat("\"") {
                return Err(self.fail("a name in quotes is missing in an object"));
            }
            let name = self.string()?;
            self.space();
            if !self.eat(":") {
                return Err(self.fail("':' is missing in an object"));
            }
            let value = self.value(depth + 1)?;
            // As in Python, the last value of a name counts, at the place of the first.
            match places.get(&name).and_then(|at| items.get_mut(*at)) {
                Some(item) => item.1 = value,
                None => {
                    places.insert(name.clone(), items.len());
                    items.push((name, value));
                }
            }
            self.space();
            if self.eat("}") {
                return Ok(Json::Object(items));
            }
            if !self.eat(",") {
                return Err(self.fail("',' or '}' is missing in an object"));
            }
        }
    }

    fn number(&mut self) -> Result<Json> {
        let rest = self.rest();
        let mut chars = rest.char_indices().peekable();
        let (mut end, mut whole, mut digits) = (0, true, 0);
        if chars.next_if(|(_, c)| *c == '-').is_some() {
            end = 1;
        }
        let leading_zero = rest[end..].starts_with('0');
        let mut run = |end: &mut usize| {
            let mut n = 0;
            while let Some((i, _)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
                (*end, n) = (i + 1, n + 1);
            }
            (n, chars.peek().map(|(_, c)| *c))
        };
        let (n, mut next) = run(&mut end);
        digits += n;
        if digits == 0 || (leading_zero && digits > 1) {
            return Err(self.fail("a value is missing"));
        }
        let bytes = rest.as_bytes();
        let count = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        if next == Some('.') {
            let n = count(end + 1);
            if n == 0 {
                return Err(self.fail("a digit is missing behind the point"));
            }
            end += 1 + n;
            whole = false;
            next = rest[end..].chars().next();
        }
        if matches!(next, Some('e' | 'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let n = count(end + 1 + sign);
            if n == 0 {
                return Err(self.fail("a digit is missing in the exponent"));
            }
            end += 1 + sign + n;
            whole = false;
        }
        let token = &rest[..end];
        let value = match token.parse::<i128>() {
            Ok(i) if whole => Json::Int(i),
            _ => Json::Float(token.parse().map_err(|_| self.fail("a value is missing"))?),
        };
        self.at += end;
        Ok(value)
    }

    /// The text up to the closing quote; the opening one has been read.
    fn string(&mut self) -> Result<String> {
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(plain) = rest.find(['"', '\\']) else { return Err(self.fail("a text is not closed")) };
            out.push_str(&rest[..plain]);
            self.at += plain;
            if self.eat("\"") {
                return Ok(out);
            }
            self.at += 1;
            let Some(c) = self.rest().chars().next() else { return Err(self.fail("a text is not closed")) };
            self.at += c.len_utf8();
            out.push(match c {
                '"' | '\\' | '/' => c,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let first = self.unit()?;
                    let code = if (0xd800..0xdc00).contains(&first) && self.eat("\\u") {
                        let second = self.unit()?;
                        if !(0xdc00..0xe000).contains(&second) {
                            return Err(self.fail("half of a surrogate pair"));
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    } else {
                        first
                    };
                    char::from_u32(code).ok_or_else(|| self.fail("half of a surrogate pair"))?
                }
                _ => return Err(self.fail("an unknown escape")),
            });
        }
    }

    fn unit(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).ok_or_else(|| self.fail("four hexadecimal digits are missing"))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_writes() {
        let text = r#"{"a": [1, -2.5, 1e+16, NaN, -Infinity], "b": {"c": null, "d": true}, "e": "\u00e9\ud83d\ude00\n", "": ""}"#;
        assert_eq!(parse(text).unwrap().to_string(), text);
        assert_eq!(parse(" [ ] ").unwrap(), Json::Array(vec![]));
        assert_eq!(parse(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap().to_string(), r#"{"a": 3, "b": 2}"#);
        assert_eq!(parse("18446744073709551615").unwrap(), Json::Int(u64::MAX.into()));
        assert_eq!(parse("0").unwrap(), Json::Int(0));
        assert_eq!(parse("-0").unwrap().to_string(), "0");
        assert_eq!(parse("0.5E-3").unwrap(), Json::Float(0.0005));
        assert_eq!(parse("\"\u{e9}\t\"").unwrap(), Json::String("\u{e9}\t".into()));
    }

    #[test]
    fn malformed_text_is_an_error() {
        for text in [
            "",
            "{",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{a: 1}",
            "nul",
            "01",
            "1.",
            "1e",
            "-",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\u12",
            "1 2",
            "\"\\u00e\u{e9}\"",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::Corrupt, "{text}");
        }
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
    }
}
