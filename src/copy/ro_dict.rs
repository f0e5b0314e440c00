//! A read-only ordered map: caput's `ro_dict`.

use crate::array::AnyArray;
use crate::error::Result;
use crate::tree::{Attributes, AttributesExt};
use std::collections::HashMap;

/// A read-only map from names to values, in the order in which they were given. A later value of a name replaces an earlier one, at its place.
///
/// Equality is deep and does not look at the order, as that of Python's dicts.
///
/// ```
/// use memh5::copy::RoDict;
/// let axes: RoDict<usize> = [("freq", 4), ("time", 10)].into_iter().collect();
/// assert_eq!(axes["freq"], 4);
/// assert_eq!(axes.get("el"), None);
/// assert_eq!(axes.keys().collect::<Vec<_>>(), ["freq", "time"]);
/// ```
#[derive(Debug, Clone)]
pub struct RoDict<V> {
    items: Vec<(String, V)>,
    places: HashMap<String, usize>,
}

impl<V> RoDict<V> {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.places.get(name).and_then(|at| self.items.get(*at)).map(|(_, v)| v)
    }

    /// True if there is a value of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The names.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.items.iter().map(|(n, _)| n.as_str())
    }

    /// The values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.items.iter().map(|(_, v)| v)
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.items.iter().map(|(n, v)| (n.as_str(), v))
    }
}

impl<V> Default for RoDict<V> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<N: Into<String>, V> FromIterator<(N, V)> for RoDict<V> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        let mut dict = Self::default();
        for (name, value) in items {
            let name = name.into();
            match dict.places.get(&name).and_then(|at| dict.items.get_mut(*at)) {
                Some(item) => item.1 = value,
                None => {
                    dict.places.insert(name.clone(), dict.items.len());
                    dict.items.push((name, value));
                }
            }
        }
        dict
    }
}

impl<V> IntoIterator for RoDict<V> {
    type Item = (String, V);
    type IntoIter = std::vec::IntoIter<(String, V)>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<V: PartialEq> PartialEq for RoDict<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<V> std::ops::Index<&str> for RoDict<V> {
    type Output = V;

    /// The value of a name.
    ///
    /// # Panics
    /// If there is none, as indexing of a map does; [`get`](RoDict::get) does not.
    #[allow(clippy::panic)]
    fn index(&self, name: &str) -> &V {
        match self.get(name) {
            Some(value) => value,
            None => panic!("there is no '{name}' in the map"),
        }
    }
}

/// All attributes of an object, read into a map: caput's `attrs2dict`. The map does not follow later changes.
///
/// # Errors
/// `Corrupt` or `Io` if one cannot be read.
pub fn attrs_to_dict(attrs: &dyn Attributes) -> Result<RoDict<AnyArray>> {
    Ok(attrs.items()?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_deep_and_knows_nan() {
        let make = |names: [&str; 2]| -> RoDict<AnyArray> {
            names.into_iter().map(|n| (n, AnyArray::from(vec![f64::NAN, n.len() as f64]))).collect()
        };
        assert_eq!(make(["a", "bb"]), make(["bb", "a"]));
        assert_ne!(make(["a", "bb"]), make(["bb", "c"]));
        let twice: RoDict<i32> = [("a", 1), ("b", 2), ("a", 3)].into_iter().collect();
        assert_eq!(twice.iter().collect::<Vec<_>>(), [("a", &3), ("b", &2)]);
        assert!(!twice.is_empty() && twice.contains("a") && twice["b"] == 2);
    }
}
