#!/usr/bin/env python3
"""An echo server with asyncio, through ctypes, with one read buffer for all connections:

    cargo build --release --manifest-path examples/c/Cargo.toml
    python3 examples/c/server.py examples/c/target/release/libwebsocket_proto_c.so 9005

A text "goodbye" is answered by a Close. websocket_proto.h says what each function does.
"""

import asyncio
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint16, c_uint64, c_void_p

REQUEST, TEXT = 1, 2
SHUTDOWN_WRITE, DROP = 1, 3
NEVER = 2**64 - 1


class Bytes(ctypes.Structure):
    """Both wsp_input and wsp_bytes."""

    _fields_ = [("at", c_void_p), ("length", c_size_t)]


library = ctypes.CDLL(sys.argv[1])
for name, result, *arguments in [
    ("wsp_server", c_void_p),
    ("wsp_free", None, c_void_p),
    ("wsp_receive", c_int, c_void_p, POINTER(Bytes), POINTER(Bytes)),
    ("wsp_answer", ctypes.c_bool, c_void_p, c_uint16),
    ("wsp_send", c_int, c_void_p, c_int, Bytes),
    ("wsp_close", c_int, c_void_p, c_uint16, Bytes),
    ("wsp_output", Bytes, c_void_p),
    ("wsp_written", None, c_void_p, c_size_t),
    ("wsp_wants_read", ctypes.c_bool, c_void_p),
    ("wsp_receive_eof", None, c_void_p),
    ("wsp_abort", None, c_void_p),
    ("wsp_tick", None, c_void_p, c_uint64),
    ("wsp_deadline", c_uint64, c_void_p),
    ("wsp_next_step", c_int, c_void_p),
    ("wsp_ending", c_size_t, c_void_p, c_char_p, c_size_t),
]:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments

# The most bytes to write at a time, so that progress is reported often.
MOST = 32 << 10
# The buffer is empty between reads, so that all connections share it.
buffer = (ctypes.c_uint8 * (64 << 10))()


class Echo(asyncio.BufferedProtocol):
    def connection_made(self, transport):
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.timer = None
        # The transport pauses whenever the kernel has not taken all bytes.
        transport.set_write_buffer_limits(0)
        self.paused = False
        # How many bytes of the output were passed to the transport.
        self.writing = 0
        self.ws = library.wsp_server()
        self.turn()

    def get_buffer(self, hint):
        return buffer

    def buffer_updated(self, length):
        self.turn(length)

    def eof_received(self):
        library.wsp_receive_eof(self.ws)
        self.turn()
        return True  # the transport stays open for writing

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        self.written()
        self.turn()

    def written(self):
        library.wsp_written(self.ws, self.writing)
        self.writing = 0
        self.receive(0)  # there may be room for what was held back

    def connection_lost(self, error):
        library.wsp_abort(self.ws)
        self.receive(0)
        line = ctypes.create_string_buffer(256)
        library.wsp_ending(self.ws, line, len(line))
        print(line.value.decode(errors="replace"), flush=True)
        library.wsp_free(self.ws)
        self.ws = None
        if self.timer:
            self.timer.cancel()

    def receive(self, length):
        received, message = Bytes(ctypes.addressof(buffer), length), Bytes()
        while kind := library.wsp_receive(self.ws, byref(received), byref(message)):
            if kind == REQUEST:
                library.wsp_answer(self.ws, 101)
            elif kind == TEXT and ctypes.string_at(message.at, message.length) == b"goodbye":
                library.wsp_close(self.ws, 1000, message)
            else:
                # While the connection closes, a message cannot be answered. That is not an error
                # here.
                library.wsp_send(self.ws, kind, message)

    def turn(self, length=0):
        """Does everything that can be done now, after `length` bytes were read."""
        self.receive(length)
        library.wsp_tick(self.ws, int(self.loop.time() * 1000))
        while not self.writing and (output := library.wsp_output(self.ws)).length:
            self.writing = min(output.length, MOST)
            self.transport.write(ctypes.string_at(output.at, self.writing))
            if not self.paused:
                self.written()
        step = library.wsp_next_step(self.ws)
        if step == SHUTDOWN_WRITE:
            self.transport.write_eof()
        elif step == DROP:
            self.transport.abort()
        if library.wsp_wants_read(self.ws):
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()
        self.set_timer()

    def set_timer(self):
        if self.timer:
            self.timer.cancel()
        deadline = library.wsp_deadline(self.ws)
        self.timer = None
        if deadline != NEVER:
            self.timer = self.loop.call_at(deadline / 1000, self.turn)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", int(sys.argv[2]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
