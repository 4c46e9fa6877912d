#!/usr/bin/env python3
"""Python `websockets` as the server of the echo client.

Usage: websockets_server.py path/to/echo_client
"""

import asyncio
import http
import sys

import websockets
from websockets.asyncio.server import serve

CHECKS = 0


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


async def run(client, url, text):
    """The exit status of the client and what it printed."""
    process = await asyncio.create_subprocess_exec(
        client, url, "--send", text, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()


async def main(client):
    closed = asyncio.Queue()

    async def handle(peer):
        received = []
        async for message in peer:
            received.append(message)
            if peer.request.path == "/drop":
                peer.transport.abort()
                return
            if peer.request.path == "/fragments":
                # A ping between the pieces is what a fragmented echo may look like.
                await peer.ping()
                await peer.send([message[:1], message[1:]])
            else:
                await peer.send(message)
        await closed.put((received, peer.protocol.close_rcvd, peer.protocol.close_sent))

    def process(connection, request):
        if request.path == "/refused":
            return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
        return None

    async with serve(handle, "127.0.0.1", 0, max_size=None, process_request=process) as server:
        port = server.sockets[0].getsockname()[1]
        base = f"ws://127.0.0.1:{port}"
        for path, text in (("/", "hello"), ("/chat?x=1", "κόσμε 🦀"), ("/", "y" * 70_000), ("/fragments", "in pieces")):
            status, output = await run(client, base + path, text)
            check(f"exit status {status} after a clean close of {path}", status == 0)
            check(f"the echo on {path}, printed", text in output)
            received, got, sent = await asyncio.wait_for(closed.get(), 20)
            check("the text arrives", received[:1] == [text])
            check("Close 1000 in both directions", got is not None and sent is not None and got.code == 1000)
        status, _ = await run(client, base + "/drop", "hello")
        check(f"exit status {status} after a dropped connection", status not in (0, None))
        status, _ = await run(client, base + "/refused", "hello")
        check(f"exit status {status} after a refused handshake", status not in (0, None))


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(sys.argv[1]), 120))
    except AssertionError as error:
        sys.exit(f"websockets server: failed: {error}")
    print(f"websockets {websockets.__version__} server: {CHECKS} checks passed")
    sys.exit(0 if CHECKS else 1)
