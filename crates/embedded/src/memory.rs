//! The lent buffers of input and output.

use websocket_proto::{Connection, Full, Message, Messages, Output, Role};

/// What was read: the bytes from `start` to `end` are not received yet.
pub(crate) struct Input<'b> {
    memory: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<'b> Input<'b> {
    pub(crate) const fn new(memory: &'b mut [u8]) -> Self {
        Input { memory, start: 0, end: 0 }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.memory.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    pub(crate) const fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// The bytes that are not received.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// The memory for the next read.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.end..).unwrap_or_default()
    }

    /// Notes that a read has filled the first `length` bytes of the room. A transport may claim more
    /// than it was given room for.
    pub(crate) fn filled(&mut self, length: usize) {
        self.end = self.end.saturating_add(length).min(self.memory.len());
    }

    /// Notes that the first `length` bytes are received.
    pub(crate) fn take(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
    }

    /// Receives the next message.
    pub(crate) fn receive<'m, R: Role>(
        &'m mut self,
        messages: &'m mut Messages<'_>,
        connection: &mut Connection<R>,
    ) -> Option<Message<'m>> {
        let Input { memory, start, end } = self;
        let mut rest = memory.get_mut(*start..*end).unwrap_or_default();
        let message = messages.receive(connection, &mut rest);
        *start = end.saturating_sub(rest.len());
        message
    }
}

/// What is to be written: the bytes from `start` to `end`.
pub(crate) struct Queue<'b> {
    memory: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<'b> Queue<'b> {
    pub(crate) const fn new(memory: &'b mut [u8]) -> Self {
        Queue { memory, start: 0, end: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    pub(crate) const fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Notes that the first `length` bytes are written.
    pub(crate) fn take(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }
}

impl Output for Queue<'_> {
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        // What waits after a part was written moves to the front only if the room is needed.
        if self.start > 0 && additional > self.memory.len().saturating_sub(self.end) {
            let length = self.len();
            if let Some(memory) = self.memory.get_mut(..self.end) {
                memory.copy_within(self.start.min(memory.len()).., 0);
            }
            (self.start, self.end) = (0, length);
        }
        if additional <= self.memory.len().saturating_sub(self.end) { Ok(()) } else { Err(Full) }
    }

    fn append(&mut self, bytes: &[u8]) {
        // A reservation has checked that there is room.
        let room = self.memory.get_mut(self.end..).unwrap_or_default();
        if let Some(room) = room.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.end = self.end.saturating_add(bytes.len());
        }
    }
}
