//! Masking (§5.3): every byte of a payload is XORed with the key byte at its position modulo four.
//!
//! Blocks are plain arrays in safe code, which the compiler turns into vector instructions. A key that
//! has been rotated by the bytes already masked continues in the next piece of a frame.

/// XORs `data` with `key`, whose first byte meets the first byte of `data`.
#[inline]
pub(crate) fn apply(data: &mut [u8], key: [u8; 4]) {
    let rest = apply_blocks::<64>(data, key);
    let rest = apply_blocks::<16>(rest, key);
    let rest = apply_blocks::<4>(rest, key);
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Masks as many blocks of `N` bytes as there are, and gives what is behind them.
#[inline(always)]
fn apply_blocks<const N: usize>(data: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    let mut blocks = data.chunks_exact_mut(N);
    for block in &mut blocks {
        if let Ok(block) = <&mut [u8; N]>::try_from(block) {
            *block = masked(*block, key);
        }
    }
    blocks.into_remainder()
}

/// Hands `data`, XORed as by [`apply`], to `put` in blocks.
#[inline]
pub(crate) fn copy(data: &[u8], key: [u8; 4], mut put: impl FnMut(&[u8])) {
    let rest = copy_blocks::<256>(data, key, &mut put);
    let rest = copy_blocks::<64>(rest, key, &mut put);
    let rest = copy_blocks::<16>(rest, key, &mut put);
    let rest = copy_blocks::<4>(rest, key, &mut put);
    for (byte, key) in rest.iter().zip(key) {
        put(&[byte ^ key]);
    }
}

/// As [`apply_blocks`], for a copy.
#[inline(always)]
fn copy_blocks<const N: usize>(data: &[u8], key: [u8; 4], mut put: impl FnMut(&[u8])) -> &[u8] {
    let mut blocks = data.chunks_exact(N);
    for block in &mut blocks {
        if let Ok(block) = <[u8; N]>::try_from(block) {
            put(&masked(block, key));
        }
    }
    blocks.remainder()
}

/// Masks a block of whole words.
#[inline(always)]
fn masked<const N: usize>(mut block: [u8; N], key: [u8; 4]) -> [u8; N] {
    for word in block.chunks_exact_mut(4) {
        if let Ok(word) = <&mut [u8; 4]>::try_from(word) {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
        }
    }
    block
}

/// The key as the byte behind `masked` further bytes meets it.
#[inline]
pub(crate) fn rotate(mut key: [u8; 4], masked: usize) -> [u8; 4] {
    key.rotate_left(masked % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::{apply, copy, rotate};

    #[test]
    fn t51_equals_the_byte_loop_at_every_offset_and_length() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let plain: [u8; 700] = core::array::from_fn(|i| (i as u8).wrapping_mul(0x9D));
        for start in 0..16 {
            for end in start..plain.len() {
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
}
