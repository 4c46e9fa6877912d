//! The request, for the peers, which do not read it themselves.

use core::ops::Range;

use httparse::{EMPTY_HEADER, Request, Status};

use crate::bare::Link;

/// The limit on the length of a request, and on its header lines.
pub const HEAD: usize = 1024;
const HEADERS: usize = 16;

const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/// Reads a request into `head` and lets `answer` answer it. Returns the position in `head` of the
/// bytes after it, and the result of `answer`. A request without an answer is refused.
pub fn read<T>(
    link: &mut impl Link,
    head: &mut [u8; HEAD],
    answer: impl FnOnce(&Request<'_, '_>) -> Option<T>,
) -> Option<(Range<usize>, T)> {
    let mut filled = 0;
    loop {
        match link.read(head.get_mut(filled..)?) {
            0 => return None,
            length => filled += length,
        }
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = Request::new(&mut headers);
        let answered = match request.parse(head.get(..filled)?) {
            Ok(Status::Partial) => continue,
            Ok(Status::Complete(end)) => answer(&request).map(|answer| (end..filled, answer)),
            Err(_) => None,
        };
        if answered.is_none() {
            link.write(BAD_REQUEST);
        }
        return answered;
    }
}
