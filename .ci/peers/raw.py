"""Examples as processes, and their peers as plain bytes: what idle.py and hostile.py share."""

import base64
import hashlib
import os
import re
import resource
import socket
import struct
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
HEAD = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: %d\r\n\r\n"
)
# How long an answer may take on a machine that has other work to do.
WAIT = 30
# The names of the server examples. `proxy` needs the URL of a backend after its address.
SERVERS = ["echo_server", "blocking", "tokio", "hyper", "h2", "proxy", "broadcast"]

CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
BAD_FRAME = b"\x83\x80\0\0\0\0"
# The first part of a message of 100 bytes, and a complete one of 60 000.
PART = b"\x81\xe4\0\0\0\0abc"
LONG = b"\x81\xfe\xea\x60\0\0\0\0" + b"x" * 60_000


class Example:
    """A running example."""

    running = []

    def __init__(self, directory, name, *arguments, files=None):
        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.name = name
        self.process = subprocess.Popen(
            [os.path.join(directory, name), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=limit,
        )
        Example.running.append(self)

    def port(self):
        """The port that the example says that it listens on."""
        port = int(re.search(r":(\d+)/", self.process.stdout.readline().decode())[1])
        # Later output is read too, because a full pipe would block the example.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return port

    def files(self):
        """How many files are open: one for each transport, and a few for the process itself."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def opens_more_than(self, before):
        """Waits until more files are open than before, and returns whether that happens in time."""
        end = time.monotonic() + WAIT
        while self.files() <= before:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def processor_time(self):
        """The seconds of processor time that were used so far."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        """The bytes of memory that are resident."""
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self):
        Example.running.remove(self)
        self.process.kill()
        self.process.wait()


def reset(transport, reader=None):
    """Ends a transport with a RST, which comes only once nobody reads it any more."""
    if reader:
        transport.shutdown(socket.SHUT_RD)
        reader.join()
    transport.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.close()


def end_all():
    for example in list(Example.running):
        example.end()


def start_server(directory, name, **options):
    """Starts a server example; for the proxy, also its backend."""
    arguments = ["127.0.0.1:0"]
    if name == "proxy":
        backend = Example(directory, "echo_server", "127.0.0.1:0")
        arguments.append(f"ws://127.0.0.1:{backend.port()}/")
    example = Example(directory, name, *arguments, **options)
    return example, example.port()


class Tcp:
    """A peer over HTTP/1.1. Reads only when a method does so."""

    head = HEAD % 13

    def __init__(self, port):
        self.stopped = False
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)

    def write(self, data):
        """Writes bytes to the transport."""
        self.socket.sendall(data)

    # Bytes of the WebSocket connection are bytes of the transport.
    send = write

    def until(self, end):
        """Reads up to the given bytes."""
        read = b""
        while end not in read:
            part = self.socket.recv(4096)
            if not part:
                raise EOFError(f"{end} has not come before the end, but {read[-100:]}")
            read += part

    def exactly(self, length):
        """Reads so many bytes."""
        while length > 0:
            part = self.socket.recv(length)
            if not part:
                raise EOFError(f"{length} bytes have not come")
            length -= len(part)

    def open(self):
        """Makes the opening handshake."""
        self.write(self.head)
        self.until(b" 101 Switching Protocols\r\n")

    def refused(self):
        """Makes an opening handshake that is refused."""
        self.write(HEAD % 8)
        self.until(b"HTTP/1.1 4")

    def await_close(self):
        self.until(b"\x88\x02")

    def flood(self, most=1 << 30):
        """Sends messages until the transport takes no more, or the server no longer wants them."""
        self.socket.settimeout(1)
        try:
            while most > 0:
                self.write(LONG)
                most -= len(LONG)
        except OSError:
            pass
        self.socket.settimeout(WAIT)

    def fin(self):
        self.socket.shutdown(socket.SHUT_WR)

    def has_ended(self):
        """Whether the WebSocket has ended and the transport is open for others."""
        return False

    def reset(self):
        reset(self.socket)

    def read_a_byte(self):
        # After its end, there may be bytes left to read for hours.
        if self.stopped or not self.socket.recv(1):
            raise ConnectionError("the end")

    def stop(self):
        """Ends the transport, and all reads and writes that wait for it."""
        self.stopped = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def h2_frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def h2_headers(version, stream=1):
    fields = {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        ":authority": "127.0.0.1",
        ":path": "/",
        "sec-websocket-version": str(version),
    }
    block = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )
    return h2_frame(1, 4, stream, block)


class Http2(Tcp):
    """A peer over HTTP/2, which answers PINGs."""

    # A window of 1000 bytes, which makes a server wait, and the answer to the server's SETTINGS.
    settings = h2_frame(4, 0, 0, struct.pack(">HI", 4, 1000)) + h2_frame(4, 1, 0)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings
    head = preface + h2_headers(13)

    def __init__(self, port):
        super().__init__(port)
        # Every DATA that came on streams, and the streams that were answered and have ended.
        self.data, self.answered, self.ended = b"", set(), set()
        self.news = threading.Condition()
        self.mute = False
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        frames = b""
        try:
            while True:
                part = self.socket.recv(65536)
                if not part:
                    return
                frames += part
                while len(frames) >= 9:
                    length = int.from_bytes(frames[:3], "big")
                    if len(frames) < 9 + length:
                        break
                    kind, flags, stream = frames[3], frames[4], int.from_bytes(frames[5:9], "big")
                    self.take(kind, flags, stream, frames[9 : 9 + length])
                    frames = frames[9 + length :]
        except OSError:
            pass

    def take(self, kind, flags, stream, payload):
        if kind == 6 and not self.mute:
            self.write(h2_frame(6, 1, 0, payload))
        with self.news:
            if kind == 0:
                self.data += payload
            if kind == 1:
                self.answered.add(stream)
            if kind == 3 or (kind in (0, 1) and flags & 1):
                self.ended.add(stream)
            self.news.notify_all()

    def until(self, holds):
        with self.news:
            if not self.news.wait_for(holds, WAIT):
                raise EOFError(f"not what was waited for: {self.data[-100:]}")

    def send(self, data, stream=1):
        for at in range(0, len(data), 10_000):
            self.write(h2_frame(0, 0, stream, data[at : at + 10_000]))

    def open(self):
        self.write(self.head)
        self.until(lambda: 1 in self.answered)

    def refused(self):
        self.write(self.preface + h2_headers(8))
        self.until(lambda: 1 in self.ended)

    def await_close(self):
        self.until(lambda: b"\x88\x02" in self.data)

    def flood(self, most=0):
        # No more than the window of the stream.
        self.send(LONG)

    def fin(self):
        self.write(h2_frame(0, 1, 1))

    def has_ended(self):
        return 1 in self.ended

    def reset(self):
        reset(self.socket, self.reader)

    def read_a_byte(self):
        self.write(h2_frame(8, 0, 1, struct.pack(">I", 1)))

    @staticmethod
    def headers(version, stream):
        return h2_headers(version, stream)

    @staticmethod
    def end(stream):
        return h2_frame(0, 1, stream)


class Listener:
    """The server of a client example. Takes one connection, and does nothing unless a method is called."""

    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"

    def __init__(self):
        self.socket = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT)
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"

    def accept(self):
        """Takes the connection and its request, and returns the answer that opens it."""
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(WAIT)
        request = b""
        while b"\r\n\r\n" not in request:
            request += self.socket.recv(4096)
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)[1]
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        return self.head + (
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    def open(self):
        answer = self.accept()
        self.socket.sendall(answer)

    def reset(self):
        reset(self.socket)

    def stop(self):
        """Ends the transport, and all reads and writes that wait for it."""
        for end in (self.socket, self.listener):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except (AttributeError, OSError):
                pass

    def refuse(self):
        self.accept()
        self.socket.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n")

    def await_close(self):
        """Reads up to the client's Close, of which the length is all that its mask leaves."""
        read = b""
        while b"\x88\x82" not in read:
            part = self.socket.recv(4096)
            if not part:
                raise EOFError(f"no Close before the end, but {read[-100:]}")
            read += part


def peer(name, port):
    return (Http2 if name == "h2" else Tcp)(port)
