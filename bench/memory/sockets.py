"""What an idle connection of examples/echo_server takes over loopback TCP, the kernel's part apart.

Usage: sockets.py path/to/echo_server [CONNECTIONS] [FLAGS of the server...]

Opens so many connections (100000 unless told), echoes a message on each, and answers the Pings of
an idle connection once. It needs twice as many file handles: `ulimit -n 250000`.
"""

import re
import select
import socket
import subprocess
import sys
import time

PORTS = 25_000  # of each local address
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
MESSAGE = b"\x81\x85\0\0\0\0hello"
IDLE = 20  # seconds until a Ping


def resident(process):
    """Bytes of its own memory that are in use: without what it shares with others, such as code."""
    with open(f"/proc/{process.pid}/smaps_rollup") as file:
        fields = dict(re.findall(r"(\w+): +(\d+) kB", file.read()))
    return 1024 * (int(fields["Private_Dirty"]) + int(fields["Private_Clean"]))


def kernel():
    """Bytes of the kernel's slabs, in which sockets and file handles are, and of socket buffers."""
    with open("/proc/meminfo") as file:
        slab = int(re.search(r"Slab: +(\d+) kB", file.read())[1])
    with open("/proc/net/sockstat") as file:
        pages = int(re.search(r"TCP: .* mem (\d+)", file.read())[1])
    return 1024 * slab + 4096 * pages


def main(path, count=100_000, *flags):
    count = int(count)
    server = subprocess.Popen([path, "127.0.0.1:0", *flags], stdout=subprocess.PIPE)
    port = int(re.search(rb":(\d+)/", server.stdout.readline())[1])
    peers, poll = [], select.epoll()

    def exchange(request, is_answer):
        """Sends `request` on each connection, and waits for what answers each."""
        waiting = {peer.fileno(): peer for peer in peers}
        for peer in peers:
            peer.sendall(request)
        collect(waiting, is_answer)

    def collect(waiting, is_answer, reply=None):
        end = time.monotonic() + 60
        while waiting:
            if time.monotonic() > end:
                sys.exit(f"{len(waiting)} connections were not answered")
            for number, _ in poll.poll(1):
                peer = waiting.get(number)
                data = peer and peer.recv(4096)
                if data == b"":
                    sys.exit("the server ended a connection")
                if peer and is_answer(data):
                    if reply:
                        peer.sendall(reply(data))
                    del waiting[number]

    try:
        begin, kernel_begin = resident(server), kernel()

        def report(what):
            own = (resident(server) - begin) / count
            # Both ends of a connection are in this kernel.
            ends = (kernel() - kernel_begin) / count / 2
            print(f"{what:32} {own:8.0f} B resident, {ends:8.0f} B of the kernel for each end")

        for number in range(count):
            peer = socket.socket()
            peer.bind((f"127.0.1.{1 + number // PORTS}", 0))
            peer.connect(("127.0.0.1", port))
            poll.register(peer, select.EPOLLIN)
            peers.append(peer)
        exchange(REQUEST, lambda data: data.endswith(b"\r\n\r\n"))
        opened = time.monotonic()
        report("opened")
        exchange(MESSAGE, lambda data: len(data) > 2)
        report("after an echo")
        pong = lambda ping: b"\x8a\x84\0\0\0\0" + ping[2:]
        print(f"waiting {IDLE} s for the Pings ...", flush=True)
        collect({peer.fileno(): peer for peer in peers}, lambda data: data[:1] == b"\x89", pong)
        time.sleep(2)
        report(f"idle, {time.monotonic() - opened:.0f} s later")
    finally:
        server.kill()


main(*sys.argv[1:])
