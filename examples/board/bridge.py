#!/usr/bin/env python3
"""Joins TCP connections to the serial lines of emulated boards.

    bridge.py PORT MACHINE FIRMWARE LOG

Each connection starts a board. The end of the board ends the connection, and the other way round. What
the boards print is appended to the file LOG.
"""

import asyncio
import signal
import sys

PORT, MACHINE, FIRMWARE, LOG = sys.argv[1:]
QEMU = [
    *("qemu-system-arm", "-M", MACHINE, "-kernel", FIRMWARE, "-display", "none", "-monitor", "none"),
    *("-serial", "stdio", "-semihosting-config", "enable=on,target=native"),
]


async def copy(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


async def serve(reader, writer):
    pipe = asyncio.subprocess.PIPE
    with open(LOG, "ab") as log:
        board = await asyncio.create_subprocess_exec(*QEMU, stdin=pipe, stdout=pipe, stderr=log)
    up = asyncio.create_task(copy(reader, board.stdin))
    down = asyncio.create_task(copy(board.stdout, writer))
    await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
    if not down.done():
        # The client has ended its stream, which the serial line cannot report. The board may still
        # be writing.
        await asyncio.wait([down], timeout=1)
    if board.returncode is None:
        try:
            board.kill()
        except ProcessLookupError:
            pass
    await board.wait()
    for task in (up, down):
        task.cancel()
    await asyncio.gather(up, down, return_exceptions=True)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(PORT))
    await server.serve_forever()


# If SIGCHLD is ignored by inheritance, asyncio cannot wait for the end of a board.
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
asyncio.run(main())
