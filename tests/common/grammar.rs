//! Parts of the grammar of a head that the tests of both sides share (RFC 9110 §5.6.2, RFC 9112
//! §5), and bytes that are almost a head.

/// Whether each of `lines` is a header field line: a name, a colon, and a value without controls.
pub fn are_fields<'a>(mut lines: impl Iterator<Item = &'a str>) -> bool {
    lines.all(|line| {
        line.split_once(':')
            .is_some_and(|(name, value)| token(name) && plain(&value.replace('\t', "")))
    })
}

/// Whether `text` has no control bytes.
pub fn plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_ascii_control())
}

/// Whether `text` is a token.
pub fn token(text: &str) -> bool {
    let mark = |c| "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || mark(c))
}

/// Returns two thousand heads, the same in every run: each is one of `heads` with at most two bytes
/// changed, inserted or removed, or truncated.
pub fn almost_heads<'a>(heads: [&'a [u8]; 6]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    (0..2000).map(move |_| {
        let mut bytes = heads[random(6)].to_vec();
        for _ in 0..random(3) {
            let at = random(bytes.len());
            let byte = b"\r\n\t \0\x16:/.,0129AHhT@\"<\x7F"[random(22)];
            match random(4) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at + 1),
            }
        }
        bytes
    })
}
