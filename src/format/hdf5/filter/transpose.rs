//! The bit shuffle of a block: all first bits of the elements, then all second bits, and so on.
//!
//! A block of `n` elements of `s` bytes becomes `8 s` rows of `n / 8` bytes. Row `8 j + k` holds bit `k` of byte `j` of every
//! element, element `i` at bit `i % 8` of byte `i / 8`. It is done in two steps, which a block within the processor's cache makes
//! cheap: the bytes of the elements are sorted into `s` lanes, then each lane's bits into 8 rows, 64 elements at a time.

/// Sorts the bits of a 8 x 8 square: bit `k` of byte `i` becomes bit `i` of byte `k`.
fn transpose_bits(mut x: u64) -> u64 {
    let mut swap = |shift: u32, mask: u64| {
        let t = (x ^ (x >> shift)) & mask;
        x ^= t ^ (t << shift);
    };
    swap(7, 0x00AA_00AA_00AA_00AA);
    swap(14, 0x0000_CCCC_0000_CCCC);
    swap(28, 0x0000_0000_F0F0_F0F0);
    x
}

/// Sorts the bytes of eight words: byte `k` of word `i` becomes byte `i` of word `k`.
fn transpose_bytes(w: &mut [u64; 8]) {
    fn swap(w: &mut [u64; 8], a: usize, b: usize, shift: u32, mask: u64) {
        let t = ((w[a] >> shift) ^ w[b]) & mask;
        w[b] ^= t;
        w[a] ^= t << shift;
    }
    for k in 0..4 {
        swap(w, k, k + 4, 32, 0x0000_0000_FFFF_FFFF);
    }
    for k in [0, 1, 4, 5] {
        swap(w, k, k + 2, 16, 0x0000_FFFF_0000_FFFF);
    }
    for k in [0, 2, 4, 6] {
        swap(w, k, k + 1, 8, 0x00FF_00FF_00FF_00FF);
    }
}

/// The bytes of a lane to its 8 rows. Both have the same length, a multiple of 8.
fn lane_to_rows(lane: &[u8], rows: &mut [u8]) {
    let row = lane.len() / 8;
    let (groups, rest) = lane.as_chunks::<64>();
    for (g, group) in groups.iter().enumerate() {
        let mut words = [0u64; 8];
        for (word, bytes) in words.iter_mut().zip(group.as_chunks::<8>().0) {
            *word = transpose_bits(u64::from_le_bytes(*bytes));
        }
        transpose_bytes(&mut words);
        for (target, word) in rows.chunks_exact_mut(row).zip(words) {
            target[8 * g..8 * g + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
    for (g, bytes) in rest.as_chunks::<8>().0.iter().enumerate() {
        let word = transpose_bits(u64::from_le_bytes(*bytes)).to_le_bytes();
        for (target, byte) in rows.chunks_exact_mut(row).zip(word) {
            target[8 * groups.len() + g] = byte;
        }
    }
}

/// The rows of a lane back to its bytes.
fn rows_to_lane(rows: &[u8], lane: &mut [u8]) {
    let row = lane.len() / 8;
    let (groups, rest) = lane.as_chunks_mut::<64>();
    let whole = groups.len();
    for (g, group) in groups.iter_mut().enumerate() {
        let mut words = [0u64; 8];
        for (word, source) in words.iter_mut().zip(rows.chunks_exact(row)) {
            if let Some(bytes) = source[8 * g..].first_chunk() {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        transpose_bytes(&mut words);
        for (bytes, word) in group.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = transpose_bits(word).to_le_bytes();
        }
    }
    for (g, bytes) in rest.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let mut word = [0u8; 8];
        for (byte, source) in word.iter_mut().zip(rows.chunks_exact(row)) {
            *byte = source[8 * whole + g];
        }
        *bytes = transpose_bits(u64::from_le_bytes(word)).to_le_bytes();
    }
}

fn gather<const S: usize>(elements: &[u8], lanes: &mut [u8]) {
    let elements = elements.as_chunks::<S>().0;
    for (j, lane) in lanes.chunks_exact_mut(elements.len()).enumerate().take(S) {
        for (byte, element) in lane.iter_mut().zip(elements) {
            *byte = element[j];
        }
    }
}

fn scatter<const S: usize>(lanes: &[u8], elements: &mut [u8]) {
    let elements = elements.as_chunks_mut::<S>().0;
    for (j, lane) in lanes.chunks_exact(elements.len()).enumerate().take(S) {
        for (byte, element) in lane.iter().zip(elements.iter_mut()) {
            element[j] = *byte;
        }
    }
}

/// Sorts the bytes of the elements into lanes.
fn elements_to_lanes(elements: &[u8], lanes: &mut [u8], itemsize: usize) {
    match itemsize {
        2 => gather::<2>(elements, lanes),
        4 => gather::<4>(elements, lanes),
        8 => gather::<8>(elements, lanes),
        16 => gather::<16>(elements, lanes),
        _ => {
            for (j, lane) in lanes.chunks_exact_mut(elements.len() / itemsize).enumerate() {
                for (byte, element) in lane.iter_mut().zip(elements.chunks_exact(itemsize)) {
                    *byte = element[j];
                }
            }
        }
    }
}

/// Sorts the lanes back into elements.
fn lanes_to_elements(lanes: &[u8], elements: &mut [u8], itemsize: usize) {
    match itemsize {
        2 => scatter::<2>(lanes, elements),
        4 => scatter::<4>(lanes, elements),
        8 => scatter::<8>(lanes, elements),
        16 => scatter::<16>(lanes, elements),
        _ => {
            for (j, lane) in lanes.chunks_exact(elements.len() / itemsize).enumerate() {
                for (byte, element) in lane.iter().zip(elements.chunks_exact_mut(itemsize)) {
                    element[j] = *byte;
                }
            }
        }
    }
}

/// Shuffles a block. All three slices have one length, a multiple of `8 * itemsize`; `lanes` is room to work in.
pub(super) fn shuffle(elements: &[u8], rows: &mut [u8], lanes: &mut [u8], itemsize: usize) {
    let lane = elements.len() / itemsize.max(1);
    if lane == 0 {
        return;
    }
    let sorted = if itemsize == 1 {
        elements
    } else {
        elements_to_lanes(elements, lanes, itemsize);
        lanes
    };
    for (from, to) in sorted.chunks_exact(lane).zip(rows.chunks_exact_mut(lane)) {
        lane_to_rows(from, to);
    }
}

/// Undoes [`shuffle`].
pub(super) fn unshuffle(rows: &[u8], elements: &mut [u8], lanes: &mut [u8], itemsize: usize) {
    let lane = rows.len() / itemsize.max(1);
    if lane == 0 {
        return;
    }
    let sorted = if itemsize == 1 { &mut *elements } else { &mut *lanes };
    for (from, to) in rows.chunks_exact(lane).zip(sorted.chunks_exact_mut(lane)) {
        rows_to_lane(from, to);
    }
    if itemsize != 1 {
        lanes_to_elements(lanes, elements, itemsize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, bit by bit.
    fn by_definition(elements: &[u8], itemsize: usize) -> Vec<u8> {
        let n = elements.len() / itemsize;
        let mut rows = vec![0; elements.len()];
        for i in 0..n {
            for j in 0..itemsize {
                for k in 0..8 {
                    let bit = elements[i * itemsize + j] >> k & 1;
                    rows[(8 * j + k) * (n / 8) + i / 8] |= bit << (i % 8);
                }
            }
        }
        rows
    }

    #[test]
    fn it_is_what_the_definition_says() {
        for itemsize in (1..=17).chain([24, 100]) {
            for n in (8..=200).step_by(8) {
                let elements: Vec<u8> = (0..n * itemsize).map(|k| (k as u32).wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
                let (mut rows, mut lanes) = (vec![0; elements.len()], vec![0; elements.len()]);
                shuffle(&elements, &mut rows, &mut lanes, itemsize);
                assert_eq!(rows, by_definition(&elements, itemsize), "{n} elements of {itemsize} bytes");
                let mut back = vec![0; elements.len()];
                unshuffle(&rows, &mut back, &mut lanes, itemsize);
                assert_eq!(back, elements, "{n} elements of {itemsize} bytes");
            }
        }
    }
}
