//! The negotiation of permessage-deflate (RFC 7692 §5, §7.1), without a codec.

use core::fmt::{self, Write};

use arrayvec::ArrayString;

use super::{
    error::HandshakeError,
    extension::{Extension, Value},
};
use crate::agreed::{Deflate, WindowBits};

/// The extension's name (RFC 7692 §7).
const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The text of an element in a response. The name and all four parameters fit.
pub(super) type Element = ArrayString<128>;

/// The valid parameters of one element of Sec-WebSocket-Extensions.
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    /// `Some(None)` is the parameter without a value, which allows the largest window.
    client_max_window_bits: Option<Option<WindowBits>>,
}

impl Parameters {
    /// Returns the parameters; `None` if one is unknown, repeated or invalid (RFC 7692 §7.1).
    fn parse(extension: &Extension<'_>) -> Option<Self> {
        let mut parameters = Parameters::default();
        for (name, value) in extension.params() {
            let repeated = match (name, value) {
                // RFC 7692 §7.1.1: a flag has no value.
                (SERVER_NO_CONTEXT_TAKEOVER, None) => {
                    core::mem::replace(&mut parameters.server_no_context_takeover, true)
                }
                (CLIENT_NO_CONTEXT_TAKEOVER, None) => {
                    core::mem::replace(&mut parameters.client_no_context_takeover, true)
                }
                // RFC 7692 §7.1.2.1: always with a value.
                (SERVER_MAX_WINDOW_BITS, Some(value)) => {
                    parameters.server_max_window_bits.replace(window_bits(value)?).is_some()
                }
                // RFC 7692 §7.1.2.2: with or without one.
                (CLIENT_MAX_WINDOW_BITS, value) => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    parameters.client_max_window_bits.replace(bits).is_some()
                }
                _ => return None,
            };
            if repeated {
                return None;
            }
        }
        Some(parameters)
    }
}

/// Reads 8 to 15 in decimal, without leading zeros (RFC 7692 §7.1.2).
fn window_bits(value: Value<'_>) -> Option<WindowBits> {
    let mut digits = value.chars();
    match (digits.next(), digits.next(), digits.next()) {
        (Some(one @ '8'..='9'), None, None) => WindowBits::new(one as u8 - b'0'),
        (Some('1'), Some(one @ '0'..='5'), None) => WindowBits::new(10 + (one as u8 - b'0')),
        _ => None,
    }
}

/// Chooses the first of the client's offers that the server can serve. Returns what is agreed, and
/// the element of the response that states it.
pub(super) fn choose<'h>(
    wanted: &Deflate,
    offers: impl Iterator<Item = Extension<'h>>,
) -> Option<(Deflate, Element)> {
    // RFC 7692 §5: the client prefers earlier offers. One that cannot be served is declined.
    offers.filter(|offer| offer.name() == NAME).find_map(|offer| {
        let offer = Parameters::parse(&offer)?;
        let agreed = agree(wanted, &offer)?;
        let mut element = Element::new();
        // Every element fits.
        write!(element, "{}", InResponse(&agreed)).ok()?;
        Some((agreed, element))
    })
}

/// Returns the parameters that answer this offer, or `None` to decline it.
fn agree(wanted: &Deflate, offer: &Parameters) -> Option<Deflate> {
    // RFC 7692 §7.1.2.1: the window that was offered, or a smaller one.
    let server = smaller(wanted.server_max_window_bits, offer.server_max_window_bits);
    let client_limit = wanted.client_max_window_bits.filter(|&bits| bits < WindowBits::MAX);
    let client = match offer.client_max_window_bits {
        // The limit that the client has offered, or a smaller one.
        Some(bits) => smaller(client_limit, bits),
        // RFC 7692 §7.1.2.2: a client that has not offered a limit cannot be given one.
        None if client_limit.is_some() => return None,
        None => None,
    };
    Some(Deflate {
        // RFC 7692 §7.1.1.1: the server has to do what the client asks for.
        server_no_context_takeover: wanted.server_no_context_takeover
            || offer.server_no_context_takeover,
        // RFC 7692 §7.1.1.2: a client has to do what it announces.
        client_no_context_takeover: wanted.client_no_context_takeover
            || offer.client_no_context_takeover,
        server_max_window_bits: server,
        client_max_window_bits: client,
    })
}

fn smaller(a: Option<WindowBits>, b: Option<WindowBits>) -> Option<WindowBits> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Validates the server's choice against the client's offers, and returns what was agreed.
pub(super) fn validate<'h>(
    offers: &[Deflate],
    mut chosen: impl Iterator<Item = Extension<'h>>,
) -> Result<Option<Deflate>, HandshakeError> {
    let Some(extension) = chosen.next() else { return Ok(None) };
    // §4.1: only extensions that were offered. RFC 7692 §5: none twice, because a frame has one bit
    // to mark it as compressed.
    if extension.name() != NAME || offers.is_empty() || chosen.next().is_some() {
        return Err(HandshakeError::ExtensionNotOffered);
    }
    // The response does not say which offer it answers, so the client keeps the promises of each
    // that it may answer.
    let tighter = |one: Deflate, other: Deflate| Deflate {
        client_no_context_takeover: one.client_no_context_takeover
            || other.client_no_context_takeover,
        client_max_window_bits: smaller(one.client_max_window_bits, other.client_max_window_bits),
        ..one
    };
    let agreed = Parameters::parse(&extension).and_then(|response| {
        offers.iter().filter_map(|offer| confirm(offer, &response)).reduce(tighter)
    });
    agreed.map(Some).ok_or(HandshakeError::InvalidParameters)
}

/// Returns what was agreed if the response answers this offer, or `None` if it does not fit.
fn confirm(offer: &Deflate, response: &Parameters) -> Option<Deflate> {
    // RFC 7692 §7.1.1.1: the server has to confirm the parameter if the client asked for it.
    if offer.server_no_context_takeover && !response.server_no_context_takeover {
        return None;
    }
    // RFC 7692 §7.1.2.1: the server has to confirm the window that was offered, or a smaller one.
    // It may also limit its window unasked.
    let server = response.server_max_window_bits;
    if offer.server_max_window_bits.is_some_and(|most| server.is_none_or(|bits| bits > most)) {
        return None;
    }
    let client = match (offer.client_max_window_bits, response.client_max_window_bits) {
        (most, None) => most.filter(|&most| most < WindowBits::MAX),
        // RFC 7692 §7.1.2.2: the response has a value, and only if the parameter was offered. The
        // value is at most the one offered.
        (Some(most), Some(Some(bits))) if bits <= most => Some(bits),
        (_, Some(_)) => return None,
    };
    Some(Deflate {
        server_no_context_takeover: response.server_no_context_takeover,
        // RFC 7692 §7.1.1.2: the server may also require this unasked.
        client_no_context_takeover: offer.client_no_context_takeover
            || response.client_no_context_takeover,
        server_max_window_bits: server,
        client_max_window_bits: client,
    })
}

/// Parameters that print as an element of a client's list of offers.
pub(super) struct InOffer<'a>(pub(super) &'a Deflate);

impl fmt::Display for InOffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_element(f, self.0)?;
        match self.0.client_max_window_bits {
            // Without a value, the parameter means the largest window.
            Some(WindowBits::MAX) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            Some(bits) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={}", bits.get()),
            None => Ok(()),
        }
    }
}

/// Parameters that print as the element of a server's response.
struct InResponse<'a>(&'a Deflate);

impl fmt::Display for InResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_element(f, self.0)?;
        match self.0.client_max_window_bits {
            Some(bits) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={}", bits.get()),
            None => Ok(()),
        }
    }
}

/// Writes the part that both elements have in common.
fn write_element(f: &mut fmt::Formatter<'_>, deflate: &Deflate) -> fmt::Result {
    f.write_str(NAME)?;
    for (flag, name) in [
        (deflate.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER),
        (deflate.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER),
    ] {
        if flag {
            write!(f, "; {name}")?;
        }
    }
    match deflate.server_max_window_bits {
        Some(bits) => write!(f, "; {SERVER_MAX_WINDOW_BITS}={}", bits.get()),
        None => Ok(()),
    }
}
