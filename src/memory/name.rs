//! Names, short ones without an allocation.

use std::fmt;
use std::sync::Arc;

/// Longest name that needs no allocation.
const SHORT: usize = 22;

/// A name of a child or an attribute. Short ones lie within the table, so that finding them touches no other memory.
#[derive(Clone)]
pub(super) enum Name {
    Short(u8, [u8; SHORT]),
    Long(Arc<str>),
}

impl Name {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(name) => name.as_bytes(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            // Made of a str, so it is one.
            Self::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(name) => name,
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..name.len()) {
            Some(to) => {
                to.copy_from_slice(name.as_bytes());
                Self::Short(name.len() as u8, bytes)
            }
            None => Self::Long(name.into()),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Name {}
impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Name {
    /// By code point, which in UTF-8 is the order of the bytes.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_stay_what_they_are() {
        for text in ["", "a", "twenty-two bytes long.", "twenty-three bytes long", "é and 漢字", &"é".repeat(1000)] {
            let name = Name::from(text);
            assert_eq!(name.as_str(), text);
            assert_eq!(matches!(name, Name::Short(..)), text.len() <= SHORT);
        }
        assert!(Name::from("Z") < Name::from("a") && Name::from("a") < Name::from(&*"a".repeat(30)));
        assert_eq!(size_of::<Name>(), 24);
    }
}
