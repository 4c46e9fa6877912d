#!/usr/bin/env python3
"""Examples use no processor time while nothing happens: each of them, in each state of a connection.

Usage: idle.py path/to/target/release/examples

One process for each pair of an example and a state, and all of them at the same time for 5 seconds.
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from raw import BAD_FRAME, CLOSE, PART, SERVERS, WAIT, Example, Listener, end_all, peer, start_server

SECONDS = 5
# A few ticks of the clock that the kernel counts in; a loop that spins uses 100 times as much.
MOST = 0.05


def nothing(peer):
    pass


def half_a_head(peer):
    peer.write(peer.head[: len(peer.head) // 2])


def refused(peer):
    peer.refused()


def opened(peer):
    peer.open()


def half_a_message(peer):
    peer.open()
    peer.send(PART)


def closing(peer):
    peer.open()
    peer.send(CLOSE)
    peer.await_close()


def failed(peer):
    peer.open()
    peer.send(BAD_FRAME)
    peer.await_close()


def does_not_read(peer):
    peer.open()
    peer.flood()


def ended(peer):
    peer.open()
    peer.fin()


def reset(peer):
    peer.open()
    peer.reset()


STATES = [nothing, half_a_head, refused, opened, half_a_message, closing, failed, does_not_read, ended, reset]


def served(directory, name, state):
    """A server example with one connection in the state."""
    example, port = start_server(directory, name)
    connection = peer(name, port)
    state(connection)
    return example, [connection]


def out_of_files(directory, name):
    """A server example that cannot accept what it is asked to."""
    example, port = start_server(directory, name, files=32)
    return example, [socket.create_connection(("127.0.0.1", port), WAIT) for _ in range(60)]


def unanswered(server):
    server.accept()


def half_answered(server):
    server.accept()
    server.socket.sendall(server.head)


def refuses(server):
    server.refuse()


def opens(server):
    server.open()


def sends(frames):
    """The state of a server that has sent these frames and waits."""

    def state(server):
        server.open()
        server.socket.sendall(frames)

    return state


SERVER_STATES = {
    "unanswered": unanswered,
    "half_answered": half_answered,
    "refuses": refuses,
    "opens": opens,
    "half_a_message": sends(b"\x81\x05abc"),
    "closes": sends(b"\x88\x02\x03\xe8"),
    "fails": sends(b"\x83\x00"),
}


def dialled(directory, name, state):
    """A client example with a server in the state."""
    server = Listener()
    arguments = [server.url, "agent"] if name == "autobahn_client" else [server.url, "--send", "a"]
    example = Example(directory, name, *arguments)
    state(server)
    return example, [server]


def main(directory):
    cases = {}
    for name in SERVERS:
        for state in STATES:
            cases[f"{name}, {state.__name__}"] = lambda name=name, state=state: served(directory, name, state)
        if name != "blocking":  # which has one connection at a time
            cases[f"{name}, out_of_files"] = lambda name=name: out_of_files(directory, name)
    for name in ("echo_client", "autobahn_client"):
        for title, state in SERVER_STATES.items():
            cases[f"{name}, {title}"] = lambda name=name, state=state: dialled(directory, name, state)
    # Each case has its own 5 seconds, which begin when its state is reached.
    with ThreadPoolExecutor(len(cases)) as pool:
        found = dict(zip(cases, pool.map(fault, cases.values())))
    faults = [f"{case}: {fault}" for case, fault in found.items() if fault]
    if faults:
        sys.exit("idle: failed:\n" + "\n".join(faults))
    return len(found)


def fault(case):
    """What is wrong in one case, if anything."""
    try:
        example, held = case()
    except (OSError, EOFError) as error:
        return f"the state is not reached: {error}"
    # On a machine with other work, the example may still be reaching its state.
    time.sleep(1)
    before = example.processor_time()
    time.sleep(SECONDS - 1)
    used = example.processor_time() - before
    # A client may end, and a server that has ended uses no time either.
    if example.name in SERVERS and example.process.poll() is not None:
        return "the server has ended"
    # Until now.
    del held
    return f"{used:.2f} s of processor time" if used > MOST else None


if __name__ == "__main__":
    try:
        COUNT = main(sys.argv[1])
    finally:
        end_all()
    print(f"examples in states in which nothing happens, {SECONDS} s each: {COUNT} checks passed")
    sys.exit(0 if COUNT else 1)
