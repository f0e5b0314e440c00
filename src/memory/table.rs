//! A table of names: the children of a group, or the attributes of an object.
//!
//! Look-up, insertion and removal cost the same for ten names and for 10^5. The order in which names are listed is kept while they come
//! in that order, which is the usual case and costs nothing; else it is sorted out at the next listing, and kept again.

use super::name::Name;
use hashbrown::{DefaultHashBuilder, HashSet, HashTable, hash_table};
use parking_lot::Mutex;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

#[derive(Debug)]
struct Entry<V> {
    name: Name,
    value: V,
}

/// Names with values.
#[derive(Debug)]
pub(super) struct NameTable<V> {
    table: HashTable<Entry<V>>,
    hasher: DefaultHashBuilder,
    tracked: bool,
    order: Mutex<Order>,
}

/// The names in the order of listing.
#[derive(Debug, Default)]
struct Order {
    names: Arc<Vec<Name>>,
    /// True if they have to be put in order first. Of a tracked table the names are those of all insertions then, also of removed ones, of
    /// which the last counts.
    broken: bool,
}

impl<V> NameTable<V> {
    /// An empty table that lists its names in the order of insertion, or else by code point.
    pub(super) fn new(tracked: bool) -> Self {
        Self { table: HashTable::new(), hasher: DefaultHashBuilder::default(), tracked, order: Mutex::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
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
                place.insert(Entry { name: name.clone(), value });
            }
        }
        let order = self.order.get_mut();
        if self.tracked {
            let names = Arc::make_mut(&mut order.names);
            names.push(name);
            if order.broken && names.len() > 2 * self.table.len() + 64 {
                self.put_in_order();
            }
        } else if order.broken {
        } else if order.names.last().is_none_or(|last| *last < name) {
            Arc::make_mut(&mut order.names).push(name);
        } else {
            *order = Order { names: Arc::default(), broken: true };
        }
        true
    }

    /// Sets a value, and gives back the old one. A name that was there becomes the newest.
    pub(super) fn set(&mut self, name: &str, value: V) -> Option<V> {
        if !self.tracked
            && let Some(place) = self.get_mut(name)
        {
            return Some(std::mem::replace(place, value));
        }
        let old = self.remove(name);
        self.insert(name.into(), value);
        old
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<V> {
        let found = self.table.find_entry(hash(&self.hasher, name.as_bytes()), |e| e.name.as_bytes() == name.as_bytes()).ok()?;
        let (entry, _) = found.remove();
        let order = self.order.get_mut();
        if !order.broken && order.names.last().is_some_and(|last| *last == entry.name) {
            Arc::make_mut(&mut order.names).pop();
        } else {
            order.broken = true;
        }
        Some(entry.value)
    }

    /// The order to go back to after changes that are taken back; `None` if the order follows from the names.
    pub(super) fn order(&self) -> Option<Arc<Vec<Name>>> {
        self.tracked.then(|| self.names())
    }

    /// Lists the names as they were listed before; nothing happens if they are not the same names.
    pub(super) fn restore_order(&mut self, order: Option<Arc<Vec<Name>>>) {
        if let Some(names) = order
            && names.len() == self.len()
            && names.iter().all(|n| self.contains(n.as_str()))
        {
            *self.order.get_mut() = Order { names, broken: false };
        }
    }

    /// The names in the order of listing.
    pub(super) fn names(&self) -> Arc<Vec<Name>> {
        self.put_in_order();
        self.order.lock().names.clone()
    }

    fn put_in_order(&self) {
        let mut order = self.order.lock();
        if !order.broken {
            return;
        }
        let names = if self.tracked {
            let mut missing: HashSet<&[u8]> = self.table.iter().map(|e| e.name.as_bytes()).collect();
            let mut names: Vec<Name> = order.names.iter().rev().filter(|n| missing.remove(n.as_bytes())).cloned().collect();
            names.reverse();
            names
        } else {
            let mut names: Vec<Name> = self.table.iter().map(|e| e.name.clone()).collect();
            names.sort_unstable();
            names
        };
        *order = Order { names: Arc::new(names), broken: false };
    }

    /// The values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.table.iter().map(|e| &e.value)
    }

    /// Empties the table and gives the values away, in no order.
    pub(super) fn take_values(&mut self) -> impl Iterator<Item = V> + use<V> {
        *self.order.get_mut() = Order::default();
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
            for _ in 0..1000 {
                table.remove("b");
                table.insert("b".into(), 0);
            }
            assert!(table.order.get_mut().names.len() < 200, "removed names do not pile up");
            let expected: &[&str] = if tracked { &["é", "Z", "a", "b"] } else { &["Z", "a", "b", "é"] };
            assert_eq!(names(&table), expected);
            let before = table.names();
            table.remove("Z");
            assert_eq!((before.len(), table.names().len()), (4, 3));
        }
    }
}
