#!/usr/bin/env python3
"""Python `websockets` as the clients of the chat room.

Usage: broadcast.py path/to/broadcast
"""

import asyncio
import os
import sys
import time

import websockets
from websockets.asyncio.client import connect

CLIENTS = 50
SPEAKERS = 5
LINES = 40

CHECKS = 0


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


def files(process):
    """How many files the process has open: one for each connection, and its own."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))


async def start(program):
    """The chat room: its process and its URL."""
    process = await asyncio.create_subprocess_exec(program, "127.0.0.1:0", stdout=asyncio.subprocess.PIPE)
    line = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
    return process, line[line.index("ws://") :].strip()


async def hear(peer, count):
    return [await peer.recv() for _ in range(count)]


async def speak(peer, name):
    for line in range(LINES):
        await peer.send(f"{name}: {line}")
        # Who speaks lets the others speak as well.
        await asyncio.sleep(0)


async def all_hear_all(url):
    peers = [await connect(url) for _ in range(CLIENTS)]
    speaking = [speak(peer, name) for name, peer in enumerate(peers[:SPEAKERS])]
    heard = asyncio.gather(*(hear(peer, SPEAKERS * LINES) for peer in peers))
    await asyncio.gather(*speaking)
    first, *others = await asyncio.wait_for(heard, 20)
    for name in range(SPEAKERS):
        own = [line for line in first if line.startswith(f"{name}: ")]
        check("each line of a speaker, in order", own == [f"{name}: {line}" for line in range(LINES)])
    for other in others:
        check("all in the same order", other == first)
    await peers[0].send(["in ", "fragments"])
    check("a fragmented message is one", await peers[1].recv() == "in fragments")
    await asyncio.gather(*(peer.close(1000) for peer in peers))
    for peer in peers:
        check("a clean close", peer.protocol.close_rcvd is not None and peer.close_code == 1000)


async def too_slow(url, process):
    """Two that do not read, of which one does so too late, and five that do not suffer from it."""
    readers = [await connect(url) for _ in range(5)]
    before = files(process)
    late, never = await connect(url, max_queue=4), await connect(url, max_queue=4)
    said = []
    # More than the buffers of a socket hold on both sides.
    while len(said) < 400:
        said.append(f"{len(said)} " + "x" * 60_000)
        await readers[0].send(said[-1])
        for heard in await asyncio.gather(*(reader.recv() for reader in readers)):
            check("the others go on", heard == said[-1])
    heard = []
    try:
        async for message in late:
            heard.append(message)
    except websockets.ConnectionClosedError:
        pass
    check("1013 for who is too slow", late.protocol.close_rcvd.code == 1013)
    check(f"{len(heard)} lines before that, none missing", heard == said[: len(heard)])
    check("but not all", 0 < len(heard) < len(said))
    limit = time.monotonic() + 10
    while files(process) > before and time.monotonic() < limit:
        await asyncio.sleep(0.1)
    check("no connection is left of who never reads", files(process) == before)
    never.transport.abort()
    await readers[0].send("still here")
    for heard in await asyncio.gather(*(reader.recv() for reader in readers)):
        check("the room is still there", heard == "still here")
    await asyncio.gather(*(reader.close() for reader in readers))


async def refused(url, message, code):
    async with connect(url) as peer:
        await peer.send(message)
        await peer.wait_closed()
        check(f"Close {code}", peer.protocol.close_rcvd.code == code)


async def main(program):
    process, url = await start(program)
    try:
        await all_hear_all(url)
        await too_slow(url, process)
        await refused(url, b"binary", 1003)
        await refused(url, "x" * ((64 << 10) + 1), 1009)
        check("the room is alive", process.returncode is None)
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
    except AssertionError as error:
        sys.exit(f"broadcast: failed: {error}")
    print(f"websockets {websockets.__version__}, {CLIENTS} clients in one room: {CHECKS} checks passed")
    sys.exit(0 if CHECKS else 1)
