//! A table of names: the children of a group, or the attributes of an object.
//!
//! Look-up, insertion and removal cost the same for ten names and for 10^5. The order in which names are listed is kept while they come
//! in that order, which is the usual case and costs nothing; else it is sorted out at the next listing, and kept again.

use super::name::Name;
use hashbrown::{DefaultHashBuilder, HashTable, hash_table};
use parking_lot::Mutex;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

#[derive(Debug)]
struct Entry<V> {
    name: Name,
    /// Rises with each insertion.
    number: u64,
    value: V,
}

/// Names with values.
#[derive(Debug)]
pub(super) struct NameTable<V> {
    table: HashTable<Entry<V>>,
    hasher: DefaultHashBuilder,
    next: u64,
    tracked: bool,
    /// The names in the order of listing; absent when a change has broken it.
    order: Mutex<Option<Arc<Vec<Name>>>>,
}

impl<V> NameTable<V> {
    /// An empty table that lists its names in the order of insertion, or else by code point.
    pub(super) fn new(tracked: bool) -> Self {
        Self { table: HashTable::new(), hasher: DefaultHashBuilder::default(), next: 0, tracked, order: Mutex::new(Some(Arc::default())) }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.table.find(hash(&self.hasher, name.as_bytes()), |e| e.name.as_bytes() == name.as_bytes()).map(|e| &e.value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.table.find_mut(hash(&self.hasher, name.as_bytes()), |e| e.name.as_bytes() == name.as_bytes()).map(|e| &mut e.value)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a name as the newest; false if it is there already.
    pub(super) fn insert(&mut self, name: Name, value: V) -> bool {
        let hasher = &self.hasher;
        match self.table.entry(hash(hasher, name.as_bytes()), |e| e.name == name, |e| hash(hasher, e.name.as_bytes())) {
            hash_table::Entry::Occupied(_) => return false,
            hash_table::Entry::Vacant(place) => {
                place.insert(Entry { name: name.clone(), number: self.next, value });
            }
        }
        self.next += 1;
        let order = self.order.get_mut();
        let in_order = match order.as_mut().map(Arc::make_mut) {
            Some(names) if self.tracked || names.last().is_none_or(|last| *last < name) => {
                names.push(name);
                true
            }
            _ => false,
        };
        if !in_order {
            *order = None;
        }
        true
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<V> {
        let found = self.table.find_entry(hash(&self.hasher, name.as_bytes()), |e| e.name.as_bytes() == name.as_bytes()).ok()?;
        let (entry, _) = found.remove();
        let order = self.order.get_mut();
        match order.as_mut().map(Arc::make_mut) {
            Some(names) if names.last().is_some_and(|last| last.as_bytes() == name.as_bytes()) => {
                names.pop();
            }
            _ => *order = None,
        }
        Some(entry.value)
    }

    /// The names in the order of listing.
    pub(super) fn names(&self) -> Arc<Vec<Name>> {
        let mut order = self.order.lock();
        order
            .get_or_insert_with(|| {
                Arc::new(if self.tracked {
                    let mut names: Vec<(u64, Name)> = self.table.iter().map(|e| (e.number, e.name.clone())).collect();
                    names.sort_unstable_by_key(|n| n.0);
                    names.into_iter().map(|n| n.1).collect()
                } else {
                    let mut names: Vec<Name> = self.table.iter().map(|e| e.name.clone()).collect();
                    names.sort_unstable();
                    names
                })
            })
            .clone()
    }

    /// The values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.table.iter().map(|e| &e.value)
    }

    /// Empties the table and gives the values away, in no order.
    pub(super) fn take_values(&mut self) -> impl Iterator<Item = V> + use<V> {
        *self.order.get_mut() = Some(Arc::default());
        std::mem::take(&mut self.table).into_iter().map(|e| e.value)
    }
}

fn hash(hasher: &DefaultHashBuilder, name: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(name);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &NameTable<i32>) -> Vec<String> {
        table.names().iter().map(|n| n.to_string()).collect()
    }

    #[test]
    fn lists_in_the_order_that_is_asked_for() {
        for tracked in [false, true] {
            let mut table = NameTable::new(tracked);
            for (i, name) in ["b", "a", "é", "Z"].into_iter().enumerate() {
                assert!(table.insert(name.into(), i as i32));
            }
            assert!(!table.insert("a".into(), 9));
            assert_eq!(table.get("a"), Some(&1));
            let expected: &[&str] = if tracked { &["b", "a", "é", "Z"] } else { &["Z", "a", "b", "é"] };
            assert_eq!(names(&table), expected);
            assert_eq!(table.remove("a"), Some(1));
            assert_eq!(table.remove("a"), None);
            assert!(table.insert("a".into(), 5));
            let expected: &[&str] = if tracked { &["b", "é", "Z", "a"] } else { &["Z", "a", "b", "é"] };
            assert_eq!(names(&table), expected);
            assert_eq!((table.len(), table.contains("x")), (4, false));
            let before = table.names();
            table.remove("Z");
            assert_eq!((before.len(), table.names().len()), (4, 3));
        }
    }
}
