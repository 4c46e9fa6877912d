#!/usr/bin/env python3
"""Python `websockets` on both sides of the proxy.

Usage: proxy.py path/to/proxy
"""

import asyncio
import http
import os
import sys
import time

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

GIB = 1 << 30
FLOOD = 64 << 20
# What the proxy may have had resident at most.
MOST = 16 << 20
# A long message is this block over and over. Its length is odd, so that no piece looks like another.
BLOCK = os.urandom((1 << 20) + 1)
TWICE = memoryview(BLOCK + BLOCK)

CHECKS = 0


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


def close_of(peer):
    """Code and reason of the Close that came."""
    close = peer.protocol.close_rcvd
    return close and (close.code, close.reason)


def port_of(url):
    return int(url.rsplit(":", 1)[1])


def peak(process):
    """The most memory that the process has had resident."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def in_order(piece, at):
    """Whether this is the piece at that place of a long message."""
    at %= len(BLOCK)
    return piece == TWICE[at : at + len(piece)]


async def fragments(length):
    for at in range(0, length, len(BLOCK)):
        yield BLOCK[: length - at]


async def count(pieces):
    """The length of a long message, as far as its content is right."""
    length = 0
    async for piece in pieces:
        if not in_order(piece, length):
            break
        length += len(piece)
    return length


class Backend:
    """Does as the path says, and keeps how each connection ended."""

    def __init__(self):
        self.ended = asyncio.Queue()

    async def handle(self, peer):
        path = peer.request.path
        try:
            if path == "/close":
                await peer.close(4002, "the server's")
            elif path == "/abort":
                peer.transport.abort()
            elif path == "/count":
                await peer.send(str(await count(peer.recv_streaming(decode=False))))
            elif path == "/flood":
                await peer.send(fragments(FLOOD))
            elif path == "/ping":
                await (await peer.ping("the server's"))
                await peer.send("answered")
            elif path == "/request":
                await peer.send(f"{peer.request.headers.get('Cookie')} {peer.request.headers.get('Origin')}")
            elif path == "/bad":
                # A frame with a reserved bit, behind a whole message and half of another.
                peer.transport.write(b"\x81\x02ok" + b"\x01\x02ha" + b"\xf0\x00")
            async for message in peer:
                await peer.send(message)
        except websockets.ConnectionClosed:
            pass
        await peer.wait_closed()
        await self.ended.put((path, close_of(peer)))

    @staticmethod
    def choose(connection, offered):
        return "chat.v1" if "chat.v1" in offered else None

    @staticmethod
    def refuse(connection, request):
        if request.path == "/refused":
            return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
        return None

    async def how_it_ended(self, path):
        ended, close = await asyncio.wait_for(self.ended.get(), 10)
        check(f"{path} ended", ended == path)
        return close


async def start(program, backend):
    """The proxy in front of the backend: its process and its URL."""
    process = await asyncio.create_subprocess_exec(
        program, "127.0.0.1:0", f"ws://127.0.0.1:{backend}/", stdout=asyncio.subprocess.PIPE
    )
    line = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
    return process, line[line.index("ws://") :].strip().rstrip("/")


async def talk(url, backend):
    async with connect(url + "/echo?x=[1]", subprotocols=["chat.v2", "chat.v1"]) as peer:
        check("the backend's subprotocol", peer.subprotocol == "chat.v1")
        for text in ("hello", "", "κόσμε 🦀", "x" * 70_000):
            await peer.send(text)
            check("text", await peer.recv() == text)
        data = os.urandom(70_000)
        await peer.send(data)
        check("70000 bytes", await peer.recv() == data)
        await peer.send([b"in ", b"", b"three ", b"fragments"])
        check("binary in fragments", await peer.recv() == b"in three fragments")
        await peer.send(["zerlegt: \u00e4\U0001f980", "", " Ende"])
        check("text in fragments", await peer.recv() == "zerlegt: \u00e4\U0001f980 Ende")
        check("the client's ping", await (await peer.ping("the client's")) >= 0)
        await peer.close(4001, "the client's")
        check("the answer to the client's Close", peer.protocol.close_rcvd.code == 4001)
    check("the client's Close", await backend.how_it_ended("/echo?x=[1]") == (4001, "the client's"))

    async with connect(url + "/ping") as peer:
        check("the server's ping", await peer.recv() == "answered")
    check("a Close of 1000", await backend.how_it_ended("/ping") == (1000, ""))

    async with connect(url + "/request", origin="http://example.com", additional_headers={"Cookie": "a=b"}) as peer:
        check("headers and origin", await peer.recv() == "a=b http://example.com")
    await backend.how_it_ended("/request")

    async with connect(url + "/close") as peer:
        await peer.wait_closed()
        check("the server's Close", close_of(peer) == (4002, "the server's"))
    check("the answer to the server's Close", (await backend.how_it_ended("/close"))[0] == 4002)


async def fail(url, backend):
    async with connect(url + "/abort") as peer:
        await peer.wait_closed()
        check("a backend that vanishes is 1014", close_of(peer)[0] == 1014)
    check("no Close of a transport that was reset", await backend.how_it_ended("/abort") is None)

    async with connect(url + "/bad") as peer:
        check("what comes before the fault", await peer.recv() == "ok")
        await peer.wait_closed()
        check("a backend that breaks the protocol is 1014", close_of(peer)[0] == 1014)
    check("what the backend did wrong", (await backend.how_it_ended("/bad"))[0] == 1002)

    peer = await connect(url + "/vanish")
    await peer.send([b"half of a message"])
    peer.transport.abort()
    check("a client that vanishes is 1001", (await backend.how_it_ended("/vanish"))[0] == 1001)

    peer = await connect(url + "/violate")
    peer.transport.write(b"\x81\x85\x00\x00\x00\x00\xffabcd")
    await peer.wait_closed()
    check("a client that breaks the protocol is told", close_of(peer)[0] == 1007)
    check("and its backend", (await backend.how_it_ended("/violate"))[0] == 1001)

    try:
        await connect(url + "/refused")
        check("refused", False)
    except websockets.InvalidStatus as error:
        check("the backend's refusal", error.response.status_code == 403)


async def ping_while_closing(url, backend):
    """A client that was told of a Close may still ask, and has to be answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
    # All by hand: `websockets` would answer the Close at once.
    writer.write(
        b"GET /close HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    close = b"\x88\x0e\x0f\xa2the server's"
    check("the Close", await reader.readexactly(len(close)) == close)
    writer.write(b"\x89\x84\x00\x00\x00\x00asks")
    check("a Pong behind the Close", await reader.readexactly(6) == b"\x8a\x04asks")
    writer.write(b"\x88\x82\x00\x00\x00\x00\x0f\xa2")
    check("the end behind both Closes", await reader.read() == b"")
    writer.close()
    await backend.how_it_ended("/close")


async def backpressure(url, backend, process):
    """A client that does not read stops the server, and the proxy keeps nothing for it."""
    async with connect(url + "/flood", max_size=None, max_queue=2) as peer:
        await asyncio.sleep(1)
        check(f"{peak(process)} bytes for a client that does not read", peak(process) < MOST)
        check("all of it at last", await count(peer.recv_streaming()) == FLOOD)
    await backend.how_it_ended("/flood")


async def main(program):
    backend = Backend()
    options = {"max_size": None, "select_subprotocol": Backend.choose, "process_request": Backend.refuse}
    async with serve(backend.handle, "127.0.0.1", 0, **options) as server:
        process, url = await start(program, server.sockets[0].getsockname()[1])
        try:
            await talk(url, backend)
            await fail(url, backend)
            await ping_while_closing(url, backend)
            await backpressure(url, backend, process)
            begin = time.monotonic()
            async with connect(url + "/count") as peer:
                await peer.send(fragments(GIB))
                check("1 GiB in one message", await peer.recv() == str(GIB))
            took = time.monotonic() - begin
            most = peak(process)
            check(f"{most} bytes for 1 GiB", most < MOST)
            check("the proxy is alive", process.returncode is None)
        finally:
            process.kill()
            await process.wait()
    return f"1 GiB in {took:.1f} s, at most {most / (1 << 20):.1f} MiB resident"


if __name__ == "__main__":
    try:
        DONE = asyncio.run(asyncio.wait_for(main(sys.argv[1]), 100))
    except AssertionError as error:
        sys.exit(f"proxy: failed: {error}")
    print(f"websockets {websockets.__version__} on both sides of the proxy, {DONE}: {CHECKS} checks passed")
    sys.exit(0 if CHECKS else 1)
