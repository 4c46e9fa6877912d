"""What an idle connection of a server takes over loopback TCP, the kernel's part apart.

Usage: sockets.py [--no-ping] path/to/server [CONNECTIONS] [ARGUMENTS of the server...]

The server is examples/echo_server, or one of those in src/bin/idle_server.rs.

Opens so many connections (100000 unless told), echoes a message on each, and answers the Pings of
an idle connection once; with --no-ping, for servers that send none, the echoes are the last stage.
Where a process may not have so many file handles, several servers share the connections.
"""

import multiprocessing
import re
import resource
import select
import socket
import subprocess
import sys
import time

PORTS = 10_000  # of each local address; a search for more takes long
IP_BIND_ADDRESS_NO_PORT = 24  # in linux/in.h
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
RESPONSE = b"\r\n\r\n"
MESSAGE = b"\x81\x85\0\0\0\0hello"
ECHO = b"\x81\x05hello"
PING = b"\x89\x04"
IDLE = 20  # seconds until a Ping
LIMIT = 300  # seconds for a stage
STAGES = ["opened", "after an echo", "idle, after a Ping and its Pong"]


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


def serve(path, group, count, flags, stages, results):
    """Has a server with `count` connections. In each stage it reports and waits for the others."""
    server = subprocess.Popen([path, "127.0.0.1:0", *flags], stdout=subprocess.PIPE)
    port = int(re.search(rb":(\d+)/", server.stdout.readline())[1])
    peers, seen, poll = {}, {}, select.epoll()

    def take_turn():
        """Takes note of what has come, and answers Pings, which come at any time."""
        for number, _ in poll.poll(0.1):
            data = peers[number].recv(4096)
            if not data:
                sys.exit(f"the server ended a connection after {seen[number] or 'nothing'}")
            seen[number].update(what for what in (RESPONSE, ECHO, PING) if what in data)
            if PING in data:
                peers[number].sendall(b"\x8a\x84\0\0\0\0" + data.split(PING)[1][:4])

    def report_when(what, stage):
        end = time.monotonic() + LIMIT
        while not all(what in all_seen for all_seen in seen.values()):
            if time.monotonic() > end:
                sys.exit("connections were not answered")
            take_turn()
        results.put(resident(server) - begin)
        while not stage.is_set():
            take_turn()

    try:
        begin = resident(server)
        for number in range(count):
            peer = socket.socket()
            # The port is chosen when it connects, which is much faster.
            peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            peer.bind((f"127.0.{1 + group}.{1 + number // PORTS}", 0))
            peer.connect(("127.0.0.1", port))
            peer.sendall(REQUEST)
            poll.register(peer, select.EPOLLIN)
            peers[peer.fileno()], seen[peer.fileno()] = peer, set()
            if number % 100 == 0:
                take_turn()
        report_when(RESPONSE, stages[0])
        for peer in peers.values():
            peer.sendall(MESSAGE)
        report_when(ECHO, stages[1])
        for number in seen:
            seen[number].clear()
        if len(stages) > 2:
            report_when(PING, stages[2])
    finally:
        server.kill()


def main(names, path, count=100_000, *flags):
    count = int(count)
    _, handles = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (handles, handles))
    groups = -(-count // (handles - 100))
    stages, results = [multiprocessing.Event() for _ in names], multiprocessing.Queue()
    begin = kernel()
    for group in range(groups):
        share = count // groups + (group < count % groups)
        arguments = (path, group, share, flags, stages, results)
        multiprocessing.Process(target=serve, args=arguments).start()
    pings = f", waiting {IDLE} s for the Pings" if len(names) > 2 else ""
    print(f"{count} connections, {groups} servers{pings}", flush=True)
    try:
        for what, stage in zip(names, stages):
            own = sum(results.get(timeout=LIMIT) for _ in range(groups)) / count
            # Both ends of a connection are in this kernel.
            ends = (kernel() - begin) / count / 2
            print(f"{what:32} {own:8.0f} B resident, {ends:8.0f} B of the kernel for each end", flush=True)
            stage.set()
    finally:
        for stage in stages:
            stage.set()


if sys.argv[1:2] == ["--no-ping"]:
    main(STAGES[:2], *sys.argv[2:])
else:
    main(STAGES, *sys.argv[1:])
