#!/usr/bin/env python3
"""Python `websockets` and plain sockets as clients of an echo server in another environment.

Usage: environment.py NAME ws://127.0.0.1:PORT/ CONNECTIONS [PID]

So many connections are open at the same time. A text "goodbye" makes the server close. With PID, the
memory of that process must not grow by a buffer for each connection.
"""

import asyncio
import os
import select
import socket
import sys
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import connect

from raw import BAD_FRAME, CLOSE, HEAD, LONG, PART, Tcp

CHECKS = 0
ECHO = b"\x81\x7e" + LONG[2:4] + LONG[8:]


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


async def messages(url):
    """Messages of each kind and length, in one frame and in fragments."""
    async with connect(url, compression=None, max_size=None) as peer:
        for length in (0, 1, 125, 126, 65_535, 65_536, 1 << 20):
            data = os.urandom(length)
            await peer.send(data)
            check(f"echo of {length} bytes", await peer.recv() == data)
        for text in ("hello", "", "κόσμε 🦀", "κόσμε 🦀" * 70_000):
            await peer.send(text)
            check("echo of text", await peer.recv() == text)
        await peer.send([b"in ", b"three ", b"fragments"])
        check("echo of fragments", await peer.recv() == b"in three fragments")
        await peer.send(["x"] * 1000)
        check("echo of many fragments", await peer.recv() == "x" * 1000)
        pong = await peer.ping(b"payload")
        check("pong", await pong >= 0)


async def closes(url):
    """Each side begins to close."""
    for code, reason in ((1000, "done"), (4321, "")):
        async with connect(url, compression=None) as peer:
            await peer.close(code, reason)
            check(f"{code} is answered", peer.protocol.close_rcvd and peer.protocol.close_rcvd.code == code)
    async with connect(url, compression=None) as peer:
        await peer.send("goodbye")
        await peer.wait_closed()
        check("the server closes", (peer.close_code, peer.close_reason) == (1000, "goodbye"))
        check("the server closes first", peer.protocol.close_rcvd_then_sent)


async def many(url, connections, process):
    """All are open before the first of them sends."""
    def resident():
        with open(f"/proc/{process}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident() if process else 0
    peers = [await connect(url, compression=None) for _ in range(connections)]
    if process:
        each = (resident() - before) // connections
        check(f"{each} bytes for each connection", each < 8 << 10)

    async def echo(number, peer):
        texts = [f"{number} " + "x" * (number * length % 40_000) for length in range(20)]
        for text in texts:
            await peer.send(text)
        check(f"echoes of connection {number}", [await peer.recv() for _ in texts] == texts)
        await peer.close()
        check(f"close of connection {number}", peer.close_code == 1000)

    await asyncio.gather(*(echo(*numbered) for numbered in enumerate(peers)))


def after_the_end(peer):
    """What comes until the server ends the transport."""
    read = b""
    while part := peer.socket.recv(4096):
        read += part
    return read


def bytes_one_by_one(port):
    peer = Tcp(port)
    for byte in HEAD % 13:
        peer.write(bytes([byte]))
    peer.until(b"\r\n\r\n")
    for byte in b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8":
        peer.write(bytes([byte]))
    peer.fin()
    check("bytes one by one", after_the_end(peer) == b"\x81\x02hi\x88\x02\x03\xe8")


def broken_rules(port):
    peer = Tcp(port)
    peer.write(HEAD % 8)
    peer.fin()
    check("another version is refused", after_the_end(peer).startswith(b"HTTP/1.1 426 "))
    peer = Tcp(port)
    peer.write(b"SSH-2.0-client\r\n")
    peer.fin()
    check("another protocol is refused", after_the_end(peer).startswith(b"HTTP/1.1 400 "))
    peer = Tcp(port)
    peer.open()
    peer.write(BAD_FRAME)
    peer.fin()
    check("a bad frame is answered", after_the_end(peer).endswith(b"\x88\x02\x03\xea"))


def ends_its_side(port):
    """The server ends its side at once. It would drop the transport after 5 seconds (§7.1.1)."""
    peer = Tcp(port)
    peer.open()
    peer.socket.settimeout(4)
    peer.write(CLOSE)
    check("the server ends its side first", after_the_end(peer).endswith(CLOSE[:1] + b"\x02" + CLOSE[-2:]))
    peer.fin()


def ends_in_a_message(port):
    peer = Tcp(port)
    peer.open()
    peer.write(PART)
    peer.fin()
    after_the_end(peer)
    peer = Tcp(port)
    peer.open()
    peer.write(PART)
    peer.reset()


def backpressure(port):
    """Reads nothing until the server stops reading, and then gets every echo. Another connection is
    served meanwhile: its echo after each part says that the server has looked at that part."""
    messages = 500
    other = Tcp(port)
    other.write(HEAD % 13)
    other.until(b"\r\n\r\n")
    peer = Tcp(port)
    peer.write(HEAD % 13)
    peer.until(b"\r\n\r\n")
    peer.socket.setblocking(False)
    unsent, sent, received, reads = memoryview(LONG * messages), 0, bytearray(), False
    while len(received) < messages * len(ECHO):
        readable, writable, _ = select.select(
            [peer.socket] if reads else [], [peer.socket] if unsent else [], [], 30 if reads else 0.5
        )
        if not reads and not writable:
            reads = True
            check(f"the server stops reading after {sent} bytes", unsent)
        elif not readable and not writable:
            raise AssertionError(f"{len(received)} bytes of echoes came")
        if writable:
            count = peer.socket.send(unsent[: 1 << 16])
            unsent, sent = unsent[count:], sent + count
            other.write(b"\x81\x82\0\0\0\0hi")
            other.exactly(4)
        if readable:
            part = peer.socket.recv(1 << 18)
            if not part:
                raise AssertionError("the server has ended")
            received += part
    check("all echoes", received == ECHO * messages)
    peer.socket.close()
    other.socket.close()


async def run(url, connections, process):
    await messages(url)
    await closes(url)
    port = urlsplit(url).port
    for plain in (bytes_one_by_one, broken_rules, ends_its_side, ends_in_a_message, backpressure):
        plain(port)
    await many(url, connections, process)
    await messages(url)


if __name__ == "__main__":
    name, url, connections, *process = sys.argv[1:]
    try:
        asyncio.run(asyncio.wait_for(run(url, int(connections), *process or [None]), 100))
    except AssertionError as error:
        sys.exit(f"{name}: failed: {error}")
    print(f"{name}, with websockets {websockets.__version__} and {connections} connections: {CHECKS} checks passed")
