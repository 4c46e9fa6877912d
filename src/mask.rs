//! Masking (§5.3): every byte of a payload is XORed with the key byte at its position modulo four.
//!
//! The words are plain integers in safe code, which the compiler turns into vector instructions. A
//! key that has been rotated by the bytes already masked continues in the next piece of a frame.

/// XORs `data` with `key`, whose first byte meets the first byte of `data`.
#[inline]
pub(crate) fn apply(data: &mut [u8], key: [u8; 4]) {
    let narrow = u32::from_ne_bytes(key);
    let wide = u128::from(narrow) * 0x1_0000_0001_0000_0001_0000_0001;
    let mut blocks = data.chunks_exact_mut(16);
    for block in &mut blocks {
        apply_front(block, |word| (u128::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    let rest = blocks.into_remainder();
    let rest = apply_front(rest, |word| (u64::from_ne_bytes(word) ^ wide as u64).to_ne_bytes());
    let rest = apply_front(rest, |word| (u32::from_ne_bytes(word) ^ narrow).to_ne_bytes());
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Masks the first `N` bytes, if there are so many, and gives those behind them.
#[inline(always)]
fn apply_front<const N: usize>(
    data: &mut [u8],
    mask: impl FnOnce([u8; N]) -> [u8; N],
) -> &mut [u8] {
    let (front, behind) = data.split_at_mut(if data.len() < N { 0 } else { N });
    if let Ok(word) = <&mut [u8; N]>::try_from(front) {
        *word = mask(*word);
    }
    behind
}

/// The key as the byte behind `masked` further bytes meets it.
#[inline]
pub(crate) fn rotate(mut key: [u8; 4], masked: usize) -> [u8; 4] {
    key.rotate_left(masked % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::{apply, rotate};

    #[test]
    fn t51_equals_the_byte_loop_at_every_offset_and_length() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let plain: [u8; 96] = core::array::from_fn(|i| (i as u8).wrapping_mul(0x9D));
        for start in 0..16 {
            for end in start..plain.len() {
                let mut wordwise = plain;
                let mut bytewise = plain;
                apply(&mut wordwise[start..end], key);
                for (i, byte) in bytewise[start..end].iter_mut().enumerate() {
                    *byte ^= key[i % 4];
                }
                assert_eq!(wordwise, bytewise, "{start}..{end}");
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
}
