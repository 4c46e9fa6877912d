//! Masking (§5.3): every byte of a payload is XORed with the key byte at its position modulo four.
//!
//! Blocks are plain arrays in safe code, which the compiler turns into vector instructions. A key that
//! has been rotated by the bytes already masked continues in the next piece of a frame.

/// From this length on, it pays to use the widest vectors of the processor, and to mask the first
/// few bytes separately, so that the blocks after them are aligned. A vector that crosses a cache
/// line takes twice as long.
const LONG: usize = 512;
/// The same for a copy, which is appended in blocks.
#[cfg(feature = "alloc")]
pub(crate) const LONG_COPY: usize = 2048;
/// The alignment of the widest vectors that are used.
const VECTOR: usize = 32;

/// XORs `data` with `key`, whose first byte meets the first byte of `data`.
#[inline]
pub(crate) fn apply(data: &mut [u8], key: [u8; 4]) {
    if data.len() >= LONG {
        apply_long(data, key);
    } else {
        apply_words(data, key);
    }
}

/// Like [`apply`], but does nothing if the key is zero, which is how an unmasked frame is represented
/// here.
pub(crate) fn unmask(data: &mut [u8], key: [u8; 4]) {
    if key != [0; 4] {
        apply(data, key);
    }
}

#[inline(never)]
fn apply_long(data: &mut [u8], key: [u8; 4]) {
    let front = to_alignment(data.as_ptr());
    if let Some((front, rest)) = data.split_at_mut_checked(front) {
        let rest_key = rotate(key, front.len());
        apply_words(front, key);
        let rest = widely(
            #[inline(always)]
            || apply_blocks::<256>(rest, rest_key),
        );
        apply_words(rest, rest_key);
    }
}

/// Runs `work`, which has to be inlined, with the widest vectors that the processor has. Without
/// the feature `wide` these are the vectors of the target's baseline.
#[inline(always)]
fn widely<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(all(feature = "wide", target_arch = "x86_64"))]
    if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
        return fearless_simd::Simd::vectorize(avx2, work);
    }
    work()
}

#[inline(always)]
fn apply_words(data: &mut [u8], key: [u8; 4]) {
    // Most 32-bit targets have no vectors, and reading a block costs as much as masking it.
    if data.len() < 16 || cfg!(target_pointer_width = "32") {
        let rest = apply_blocks::<4>(data, key);
        for (byte, key) in rest.iter_mut().zip(key) {
            *byte ^= key;
        }
        return;
    }
    // The last block is read before the others are written, and overlaps their end. Small writes at
    // the end would have to finish before the next code can read across them.
    let mut last = *data.last_chunk::<16>().unwrap_or(&[0; 16]);
    mask_words(&mut last, rotate(key, data.len()));
    let rest = apply_blocks::<64>(data, key);
    apply_blocks::<16>(rest, key);
    if let Some(place) = data.last_chunk_mut() {
        *place = last;
    }
}

/// Returns the number of bytes from this one to the next that is aligned for vectors: 31 at most.
fn to_alignment(byte: *const u8) -> usize {
    byte.align_offset(VECTOR) % VECTOR
}

/// Masks all complete blocks of `N` bytes, and returns the bytes after them.
#[inline(always)]
fn apply_blocks<const N: usize>(data: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    let mut blocks = data.chunks_exact_mut(N);
    for block in &mut blocks {
        if let Ok(block) = <&mut [u8; N]>::try_from(block) {
            mask_words(block, key);
        }
    }
    blocks.into_remainder()
}

/// Like [`copy`], for a copy of at least [`LONG_COPY`] bytes that begins at `to`.
#[cfg(feature = "alloc")]
#[inline(never)]
pub(crate) fn copy_long(data: &[u8], key: [u8; 4], to: *const u8, mut put: impl FnMut(&[u8])) {
    let (front, rest) = data.split_at_checked(to_alignment(to)).unwrap_or((data, &[]));
    copy(front, key, &mut put);
    let key = rotate(key, front.len());
    let rest = widely(
        #[inline(always)]
        || copy_blocks::<256>(rest, key, &mut put),
    );
    copy(rest, key, put);
}

/// Passes `data`, XORed as by [`apply`], to `put` in blocks.
#[inline]
pub(crate) fn copy(data: &[u8], key: [u8; 4], mut put: impl FnMut(&[u8])) {
    let rest = copy_blocks::<256>(data, key, &mut put);
    let rest = copy_blocks::<64>(rest, key, &mut put);
    let rest = copy_blocks::<16>(rest, key, &mut put);
    let rest = copy_blocks::<4>(rest, key, &mut put);
    match (rest, key) {
        ([a], [x, ..]) => put(&[a ^ x]),
        ([a, b], [x, y, ..]) => put(&[a ^ x, b ^ y]),
        ([a, b, c], [x, y, z, _]) => put(&[a ^ x, b ^ y, c ^ z]),
        _ => {}
    }
}

/// Like [`apply_blocks`], for a copy.
#[inline(always)]
pub(crate) fn copy_blocks<const N: usize>(
    data: &[u8],
    key: [u8; 4],
    mut put: impl FnMut(&[u8]),
) -> &[u8] {
    let mut blocks = data.chunks_exact(N);
    for block in &mut blocks {
        let mut out = [0; N];
        for (to, word) in out.chunks_exact_mut(4).zip(words(block, key).0) {
            to.copy_from_slice(&word);
        }
        put(&out);
    }
    blocks.remainder()
}

/// Masks a block of whole words.
#[inline(always)]
fn mask_words<const N: usize>(block: &mut [u8; N], key: [u8; 4]) {
    for word in block.chunks_exact_mut(4) {
        if let Ok(word) = <&mut [u8; 4]>::try_from(word) {
            *word = masked(word, key);
        }
    }
}

/// Returns the complete words of `data`, masked, and the bytes after them, unchanged.
#[inline(always)]
pub(crate) fn words(data: &[u8], key: [u8; 4]) -> (impl Iterator<Item = [u8; 4]>, &[u8]) {
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    (words.map(move |word| masked(word.try_into().unwrap_or(&[0; 4]), key)), rest)
}

/// Returns the masked word.
#[inline(always)]
const fn masked(word: &[u8; 4], key: [u8; 4]) -> [u8; 4] {
    (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes()
}

/// Returns the key, rotated to fit the byte after `masked` further bytes.
#[inline]
pub(crate) const fn rotate(key: [u8; 4], masked: usize) -> [u8; 4] {
    u32::from_be_bytes(key).rotate_left(8 * (masked % 4) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::{LONG, VECTOR, apply, copy, rotate, to_alignment};

    #[test]
    fn t51_equals_the_byte_loop_at_every_offset_and_length() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let plain: [u8; LONG + 300] = core::array::from_fn(|i| (i as u8).wrapping_mul(0x9D));
        for start in 0..16 {
            for end in (start..700).chain(start + LONG - 40..plain.len()) {
                let mut wordwise = plain;
                let mut bytewise = plain;
                apply(&mut wordwise[start..end], key);
                for (i, byte) in bytewise[start..end].iter_mut().enumerate() {
                    *byte ^= key[i % 4];
                }
                assert!(wordwise == bytewise, "{start}..{end}");
                let mut rest = &bytewise[start..end];
                copy(&plain[start..end], key, |block| {
                    rest = rest.strip_prefix(block).expect("the next bytes");
                });
                assert!(rest.is_empty(), "{start}..{end}");
            }
        }
    }

    #[test]
    fn r6455_5_3_c_a_rotated_key_continues_in_the_next_piece() {
        let key = [1, 2, 3, 4];
        for cut in 0..23 {
            let mut pieces = [0x55; 23];
            let mut whole = pieces;
            apply(&mut whole, key);
            let (front, back) = pieces.split_at_mut(cut);
            apply(front, key);
            apply(back, rotate(key, cut));
            assert_eq!(pieces, whole, "cut at {cut}");
        }
    }

    /// Unaligned blocks give the same bytes more slowly, so only this test can tell them apart.
    #[test]
    fn what_is_aligned_lies_at_the_next_multiple_of_a_vector() {
        let bytes = [0_u8; 64];
        for byte in &bytes {
            let more = to_alignment(byte);
            assert!(
                more < VECTOR && (core::ptr::from_ref(byte).addr() + more).is_multiple_of(VECTOR)
            );
        }
    }
}
