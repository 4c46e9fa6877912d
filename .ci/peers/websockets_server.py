#!/usr/bin/env python3
"""Python `websockets` as the server of the echo client.

Usage: websockets_server.py path/to/echo_client [--deflate [--takeover]]

The flags are handed to the client.
"""

import asyncio
import http
import itertools
import sys

import websockets
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from compressed import exchange, parameters

CHECKS = 0


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


async def run(client, url, *arguments):
    """The exit status of the client and what it printed."""
    process = await asyncio.create_subprocess_exec(
        client, url, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()


async def main(client, *flags):
    closed = asyncio.Queue()

    async def handle(peer):
        check("an extension only if it is offered", len(peer.protocol.extensions) == ("--deflate" in flags))
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
            status, output = await run(client, base + path, "--send", text, *flags)
            check(f"exit status {status} after a clean close of {path}", status == 0)
            check(f"the echo on {path}, printed", text in output)
            received, got, sent = await asyncio.wait_for(closed.get(), 20)
            check("the text arrives", received[:1] == [text])
            check("Close 1000 in both directions", got is not None and sent is not None and got.code == 1000)
        _, output = await run(client, base, "--send", "\x1b]0;title\x07\x9b2J", *flags)
        check(f"{output!r} does nothing to a terminal", r"text \u{1b}]0;title\u{7}\u{9b}2J" in output)
        await closed.get()
        status, _ = await run(client, base + "/drop", "--send", "hello", *flags)
        check(f"exit status {status} after a dropped connection", status not in (0, None))
        status, _ = await run(client, base + "/refused", "--send", "hello", *flags)
        check(f"exit status {status} after a refused handshake", status not in (0, None))


async def compressed(client, takeover, flags, windows):
    """One connection: what it agrees on with a server that wants this, and what comes of it."""
    alone = {"server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"}
    agreed = {
        "server_no_context_takeover": flags[0] or not takeover,
        "client_no_context_takeover": flags[1] or not takeover,
        f"server_max_window_bits={windows[0]}": windows[0] is not None,
        f"client_max_window_bits={windows[1]}": windows[1] is not None,
    }
    agreed = {name for name, present in agreed.items() if present}
    # An answer that fits both offers may be to the one that says that the client does not take over.
    refrains = takeover and flags[0] and not flags[1]
    done = asyncio.get_running_loop().create_future()

    async def handle(peer):
        try:
            offered = parameters(peer.request.headers["Sec-WebSocket-Extensions"])
            wished = [{"client_max_window_bits"}] if takeover else []
            check(f"{offered} offered", offered == [*wished, alone])
            answer = parameters(peer.response.headers["Sec-WebSocket-Extensions"])
            check(f"{answer} agreed on", answer == [agreed])
            await exchange(peer, check, refrains)
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)

    extensions = [ServerPerMessageDeflateFactory(*flags, *windows)]
    async with serve(handle, "127.0.0.1", 0, max_size=None, compression=None, extensions=extensions) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        running = asyncio.create_task(run(client, url, "--echo", "--deflate", *["--takeover"] * takeover))
        await asyncio.wait_for(done, 60)
        status, output = await running
        check(f"exit status {status} after a clean close", status == 0)
        first = output.split("\n", 1)[0]
        for name in ("server_no_context_takeover", "client_no_context_takeover"):
            check(f"the client knows of {name}: {first}", (f"{name}: true" in first) == (name in agreed or refrains))


async def all_compressed(client, takeover):
    flags = itertools.product((False, True), repeat=2)
    windows = [(None, None), (None, 8), (15, 15), *((bits, bits) for bits in range(9, 13)), (None, 9), (9, None)]
    wanted = list(itertools.product(flags, windows))
    # A few at a time: each has a process of its own.
    for few in range(0, len(wanted), 6):
        await asyncio.gather(*(compressed(client, takeover, *way) for way in wanted[few : few + 6]))


async def both(client, *flags):
    await main(client, *flags)
    if "--deflate" in flags:
        await all_compressed(client, "--takeover" in flags)


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(both(*sys.argv[1:]), 100))
    except AssertionError as error:
        sys.exit(f"websockets server: failed: {error}")
    print(" ".join([f"websockets {websockets.__version__} server", *sys.argv[2:]]) + f": {CHECKS} checks passed")
    sys.exit(0 if CHECKS else 1)
