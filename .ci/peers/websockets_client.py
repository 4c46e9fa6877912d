#!/usr/bin/env python3
"""Python `websockets` as a client of the echo server.

Usage: websockets_client.py ws://127.0.0.1:PORT/ [--deflate [--takeover]]

The flags are those of the server under test.
"""

import asyncio
import itertools
import os
import sys

import websockets
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from compressed import exchange, parameters

CHECKS = 0


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


async def main(url):
    async with connect(url, max_size=None) as peer:
        for text in ("hello", "", "κόσμε 🦀", "x" * 70_000):
            await peer.send(text)
            check("text echo", await peer.recv() == text)
        data = os.urandom(70_000)
        await peer.send(data)
        check("binary echo of 70000 bytes", await peer.recv() == data)
        await peer.send([b"in ", b"three ", b"fragments"])
        check("fragmented message", await peer.recv() == b"in three fragments")
        pong = await peer.ping(b"payload")
        check("pong", await pong >= 0)
        await peer.close(1000, "done")
        check("clean close", (peer.close_code, peer.protocol.close_rcvd_then_sent) == (1000, False))
        check("echoed code", peer.protocol.close_rcvd is not None and peer.protocol.close_rcvd.code == 1000)
    async with connect(url) as peer:
        await peer.close(4321)
        check("clean close with a private code", peer.protocol.close_rcvd is not None and peer.close_code == 4321)


async def compressed(url, takeover, flags, windows):
    """One connection, what it offers, and what has to come of that."""
    offer = ClientPerMessageDeflateFactory(*flags, *windows)
    expected = {
        "server_no_context_takeover": flags[0] or not takeover,
        "client_no_context_takeover": flags[1] or not takeover,
        f"server_max_window_bits={windows[0]}": windows[0] is not None,
        f"client_max_window_bits={windows[1]}": windows[1] not in (None, True),
    }
    async with connect(url, max_size=None, compression=None, extensions=[offer]) as peer:
        agreed = parameters(peer.response.headers["Sec-WebSocket-Extensions"])
        check(f"{agreed} agreed on", agreed == [{name for name, present in expected.items() if present}])
        await exchange(peer, check)
        await peer.close(1000, "done")
        check("clean close", peer.protocol.close_rcvd is not None and peer.close_code == 1000)


async def all_compressed(url, takeover):
    """All connections at the same time, so that the codecs which they share go from one to another."""
    flags = itertools.product((False, True), repeat=2)
    windows = [(None, True), (None, None), (8, True), (15, 15), *((bits, bits) for bits in range(9, 13)), (None, 9), (9, None)]
    await asyncio.gather(*(compressed(url, takeover, *way) for way in itertools.product(flags, windows)))


async def run(url, *flags):
    await main(url)
    if "--deflate" in flags:
        await all_compressed(url, "--takeover" in flags)


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(run(*sys.argv[1:]), 100))
    except AssertionError as error:
        sys.exit(f"websockets client: failed: {error}")
    print(" ".join([f"websockets {websockets.__version__} client", *sys.argv[2:]]) + f": {CHECKS} checks passed")
    sys.exit(0 if CHECKS else 1)
