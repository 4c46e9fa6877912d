#!/usr/bin/env python3
"""Python `websockets` as a client of the echo server.

Usage: websockets_client.py ws://127.0.0.1:PORT/
"""

import asyncio
import os
import sys

import websockets
from websockets.asyncio.client import connect

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


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
    except AssertionError as error:
        sys.exit(f"websockets client: failed: {error}")
    print(f"websockets {websockets.__version__} client: {CHECKS} checks passed")
    sys.exit(0 if CHECKS else 1)
