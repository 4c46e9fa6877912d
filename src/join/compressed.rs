//! Compressed messages, inflated before they are joined.

use alloc::vec::Vec;
use core::mem;

use super::{Complete, Inflated, Messages, Other, Stored};
use crate::{
    codec::Decompress,
    connection::Connection,
    error::{Failure, Violation},
    event::{Compressed, Position},
    frame::compressed_limit,
    inflate::Inflater,
    message::Message,
    receive::Received,
    role::Role,
    storage::growth,
};

impl Messages<'_> {
    /// Like [`receive_pieces`](Messages::receive_pieces), with an inflater for compressed messages.
    #[inline(never)]
    pub(super) fn inflate_pieces<'m, 'i: 'm, R: Role, D: Decompress>(
        &'m mut self,
        connection: &mut Connection<R>,
        inflater: &'m mut Inflater<D>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        loop {
            let mut received = connection.receive_piece(input);
            let complete = match received.as_mut()? {
                Received::Compressed(piece) => {
                    let kind = piece.kind;
                    match self.inflate(connection, inflater, piece) {
                        Ok(Inflated::Incomplete) => None,
                        Ok(Inflated::Joined) => Some(Complete::Joined(kind)),
                        Ok(Inflated::InInflater) => {
                            return match inflater.data(kind) {
                                Ok(data) => Some(data.into()),
                                Err(failure) => self.other(connection, Other::Failed(failure)),
                            };
                        }
                        Err(failure) => Some(Complete::Other(Other::Failed(failure))),
                    }
                }
                received => self.join(connection, received),
            };
            if let Some(complete) = complete {
                return self.message(connection, complete);
            }
        }
    }

    /// Inflates a compressed piece and stores the result. For a shared inflater, collects it until
    /// the message is fully received.
    #[inline(never)]
    fn inflate<R: Role, D: Decompress>(
        &mut self,
        connection: &Connection<R>,
        inflater: &mut Inflater<D>,
        piece: &mut Compressed<'_>,
    ) -> Result<Inflated, Failure> {
        let Compressed { kind, position, .. } = *piece;
        if inflater.is_own() || self.stored == Stored::Nothing && position.is_whole() {
            return self.store_inflated(connection, inflater, piece);
        }
        self.collect(connection, piece)?;
        if !position.last {
            return Ok(Inflated::Incomplete);
        }
        self.stored = Stored::Nothing;
        let mut compressed = mem::take(&mut self.compressed);
        let mut whole = Compressed::new(&mut compressed, kind, Position::WHOLE);
        let inflated = self.store_inflated(connection, inflater, &mut whole);
        self.compressed = compressed;
        self.clear_compressed();
        inflated
    }

    fn store_inflated<R: Role, D: Decompress>(
        &mut self,
        connection: &Connection<R>,
        inflater: &mut Inflater<D>,
        piece: &mut Compressed<'_>,
    ) -> Result<Inflated, Failure> {
        while let Some(position) = inflater.next_piece(connection, piece)? {
            if self.stored == Stored::Nothing && position.is_whole() {
                return Ok(Inflated::InInflater);
            }
            let inflated = inflater.piece(piece.kind, position)?;
            if self.store(connection, &inflated)?.is_some() {
                return Ok(Inflated::Joined);
            }
        }
        Ok(Inflated::Incomplete)
    }

    /// Collects the compressed bytes of a message.
    fn collect<R: Role>(
        &mut self,
        connection: &Connection<R>,
        piece: &Compressed<'_>,
    ) -> Result<(), Failure> {
        let stored = Stored::Compressed(piece.kind);
        let (length, capacity) = (self.compressed.len(), self.compressed.capacity());
        self.check_order(stored, length, piece.position)?;
        let limit = compressed_limit(connection.max_message());
        if (length as u64).saturating_add(piece.data.len() as u64) > limit {
            return Err(Violation::MessageTooBig.into());
        }
        let more = growth(length, capacity, piece.data.len(), self.storage.spare(), limit);
        self.compressed.try_reserve_exact(more).map_err(|_| Violation::MessageTooBig)?;
        self.compressed.extend_from_slice(piece.data);
        self.stored = stored;
        Ok(())
    }

    pub(super) fn clear_compressed(&mut self) {
        self.compressed.clear();
        if self.compressed.capacity() > self.storage.spare() {
            self.compressed = Vec::new();
        }
    }
}
