//! Arrays as text: rows in brackets, as numpy shows them, the middle of a large one left out.

use memh5::AnyArray;
use memh5::tree::visible;
use std::io::{self, Write};

/// How many indices are kept at either end of a long axis.
const EDGE: usize = 3;

/// Which indices of each axis are shown.
#[derive(Debug)]
pub struct Window {
    indices: Vec<Vec<usize>>,
    /// For each axis: behind how many of the shown ones something is left out.
    gaps: Vec<Option<usize>>,
}

impl Window {
    /// Everything.
    pub fn whole(shape: &[usize]) -> Self {
        Self { indices: shape.iter().map(|n| (0..*n).collect()).collect(), gaps: vec![None; shape.len()] }
    }

    /// The first and last indices of each long axis.
    pub fn edges(shape: &[usize]) -> Self {
        let long = |n: usize| n > 2 * EDGE + 1;
        let ends = |n: usize| if long(n) { (0..EDGE).chain(n - EDGE..n).collect() } else { (0..n).collect() };
        Self { indices: shape.iter().map(|n| ends(*n)).collect(), gaps: shape.iter().map(|n| long(*n).then_some(EDGE)).collect() }
    }

    /// True if nothing is left out.
    pub fn is_whole(&self) -> bool {
        self.gaps.iter().all(Option::is_none)
    }

    /// The indices of each axis.
    pub fn indices(&self) -> &[Vec<usize>] {
        &self.indices
    }

    /// Writes the elements that are in the window, which the array holds and nothing else.
    pub fn write(&self, out: &mut dyn Write, values: &AnyArray) -> io::Result<()> {
        let mut at = 0;
        let plain = values.dtype().is_numeric();
        let width = match plain {
            true => values.elements().map(|e| e.to_string().chars().count()).max().unwrap_or(0),
            false => 0,
        };
        self.axis(out, values, 0, &mut at, width)?;
        writeln!(out)
    }

    fn axis(&self, out: &mut dyn Write, values: &AnyArray, axis: usize, at: &mut usize, width: usize) -> io::Result<()> {
        let Some(indices) = self.indices.get(axis) else {
            if let Some(element) = values.element(*at) {
                write!(out, "{:>width$}", visible(&element.to_string()))?;
            }
            *at += 1;
            return Ok(());
        };
        let last = axis + 1 == self.indices.len();
        // Rows of numbers stay on a line; anything else has a line of its own.
        let between = if last && values.dtype().is_numeric() { ", ".to_owned() } else { format!(",\n{}", " ".repeat(axis + 1)) };
        out.write_all(b"[")?;
        for k in 0..indices.len() {
            if k > 0 {
                out.write_all(between.as_bytes())?;
            }
            if self.gaps.get(axis).copied().flatten() == Some(k) {
                write!(out, "..{}", between.trim_start_matches(','))?;
            }
            self.axis(out, values, axis + 1, at, width)?;
        }
        out.write_all(b"]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memh5::AnyArray;

    fn text(window: &Window, values: &AnyArray) -> String {
        let mut out = Vec::new();
        window.write(&mut out, values).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn arrays_look_as_numpy_shows_them() {
        let values = AnyArray::from(vec![1, 20, 3, 4, 5, 6]);
        assert_eq!(text(&Window::whole(&[6]), &values), "[ 1, 20,  3,  4,  5,  6]\n");
        let square = values.clone().reshape(&[2, 3]).unwrap();
        assert_eq!(text(&Window::whole(&[2, 3]), &square), "[[ 1, 20,  3],\n [ 4,  5,  6]]\n");
        assert_eq!(text(&Window::whole(&[]), &AnyArray::from(7u8)), "7\n");
        assert_eq!(text(&Window::whole(&[0]), &AnyArray::from(Vec::<f64>::new())), "[]\n");
        let window = Window::edges(&[100]);
        assert_eq!(window.indices(), [vec![0, 1, 2, 97, 98, 99]]);
        assert_eq!(text(&window, &values), "[ 1, 20,  3, ..  4,  5,  6]\n");
        assert!(Window::edges(&[7, 2]).is_whole());
    }
}
