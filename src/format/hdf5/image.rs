//! The bytes of an open file, made fit to be opened again.
//!
//! HDF5 1.10 clears the status flags in the superblock of an image, and leaves the checksum over them as it was.

/// The checksum of HDF5's metadata: Bob Jenkins' lookup3 over the bytes, beginning with 0.
fn checksum(bytes: &[u8]) -> u32 {
    let word = |at: &[u8], k: usize| {
        let mut raw = [0; 4];
        let part = at.get(4 * k..).unwrap_or(&[]);
        let n = part.len().min(4);
        raw[..n].copy_from_slice(&part[..n]);
        u32::from_le_bytes(raw)
    };
    let seed = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (seed, seed, seed);
    let mut rest = bytes;
    while rest.len() > 12 {
        a = a.wrapping_add(word(rest, 0));
        b = b.wrapping_add(word(rest, 1));
        c = c.wrapping_add(word(rest, 2));
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
        rest = &rest[12..];
    }
    if rest.is_empty() {
        return c;
    }
    a = a.wrapping_add(word(rest, 0));
    b = b.wrapping_add(word(rest, 1));
    c = c.wrapping_add(word(rest, 2));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// Makes the checksum of the superblock that of its bytes. (Superblocks before version 2 have none.)
pub(super) fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while bytes.get(at..at + 8).is_some_and(|s| s != b"\x89HDF\r\n\x1a\n") {
        at = if at == 0 { 512 } else { at * 2 };
    }
    let Some(block) = bytes.get_mut(at..) else { return };
    let (Some(2..=3), Some(address_size)) = (block.get(8).copied(), block.get(9).copied()) else { return };
    let end = 12 + 4 * usize::from(address_size);
    if block.len() >= end + 4 {
        let sum = checksum(&block[..end]);
        block[end..end + 4].copy_from_slice(&sum.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_the_library() {
        // The superblock that HDF5 2.0 wrote for an empty file.
        let text = "894844460d0a1a0a020808000000000000000000ffffffffffffffff18080000000000003000000000000000b81fadf8";
        let bytes: Vec<u8> = (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect();
        let mut mended = bytes.clone();
        mended[44] ^= 0xff;
        super::mend(&mut mended);
        assert_eq!(mended, bytes);
    }
}
