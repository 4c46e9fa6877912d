#!/usr/bin/env python3
"""Examples end their connections within their limits, whatever the peer does or leaves undone.

Usage: hostile.py path/to/target/release/examples [PART OF A NAME]

One process for each pair of an example and a peer, and all of them at the same time.
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from raw import BAD_FRAME, CLOSE, PART, SERVERS, WAIT, Example, Http2, Listener, Tcp, end_all, peer, start_server

# The limits, in seconds, and how much later a machine with other work may be.
HANDSHAKE, SILENCE, MESSAGE, OUTPUT, CLOSING = 10, 40, 60, 60, 5
LATE = 10
AT_ONCE = 0

# --- peers of servers ------------------------------------------------------------------------------


def drip(write, data):
    """Writes a byte a second, and the last one again and again."""
    while True:
        write(data[:1])
        data = data[1:] or data
        time.sleep(1)


def keep_sending(peer):
    while True:
        peer.send(b"\x81\x81\0\0\0\0a")
        time.sleep(0.05)


def nothing(peer):
    peer.mute = True


def half_a_head(peer):
    peer.mute = True
    peer.write(peer.head[: len(peer.head) // 2])


def drips_its_head(peer):
    drip(peer.write, peer.head[:-1])


def pipelines_and_never_reads(peer):
    peer.mute = True
    while True:
        peer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000)


def holds_after_refusal(peer):
    peer.mute = True
    peer.refused()


def sends_after_refusal(peer):
    peer.mute = True
    peer.refused()
    while True:
        peer.write(b"GET / HTTP/1.1\r\nX: ")
        time.sleep(0.05)


def never_answers(peer):
    peer.open()


def drips_a_message(peer):
    peer.open()
    peer.send(PART)
    drip(peer.send, b"a")


def never_reads(peer):
    peer.open()
    peer.flood()


def flood_then_ends(peer):
    peer.open()
    peer.flood()
    peer.fin()


def flood_close_ends(peer):
    peer.open()
    peer.flood()
    peer.send(CLOSE)
    peer.fin()


def drips_its_reading(peer):
    peer.open()
    peer.flood()
    while True:
        peer.read_a_byte()
        time.sleep(1)


def holds_after_close(peer):
    peer.open()
    peer.send(CLOSE)


def sends_after_close(peer):
    peer.open()
    peer.send(CLOSE)
    keep_sending(peer)


def holds_after_failure(peer):
    peer.open()
    peer.send(BAD_FRAME)


def sends_after_failure(peer):
    peer.open()
    peer.send(BAD_FRAME)
    keep_sending(peer)


def ends_in_its_head(peer):
    half_a_head(peer)
    peer.socket.shutdown(socket.SHUT_WR)


def ends(peer):
    peer.open()
    peer.send(PART)
    peer.fin()


def ends_after_close(peer):
    peer.open()
    peer.send(CLOSE)
    peer.fin()


def resets_in_its_head(peer):
    half_a_head(peer)
    peer.reset()


def resets(peer):
    peer.open()
    peer.send(PART)
    peer.reset()


def resets_after_close(peer):
    peer.open()
    peer.send(CLOSE)
    peer.reset()


CLIENTS = {
    # They are sent a 408, which takes the time of closing once more.
    nothing: HANDSHAKE + CLOSING,
    half_a_head: HANDSHAKE + CLOSING,
    drips_its_head: HANDSHAKE + CLOSING,
    pipelines_and_never_reads: HANDSHAKE,
    holds_after_refusal: HANDSHAKE,
    sends_after_refusal: HANDSHAKE,
    never_answers: SILENCE + CLOSING,
    drips_a_message: MESSAGE + CLOSING,
    never_reads: OUTPUT + CLOSING,
    flood_then_ends: OUTPUT + CLOSING,
    flood_close_ends: OUTPUT + CLOSING,
    drips_its_reading: OUTPUT + CLOSING,
    holds_after_close: CLOSING,
    sends_after_close: CLOSING,
    holds_after_failure: CLOSING,
    sends_after_failure: CLOSING,
    ends_in_its_head: AT_ONCE,
    ends: AT_ONCE,
    ends_after_close: AT_ONCE,
    resets_in_its_head: AT_ONCE,
    resets: AT_ONCE,
    resets_after_close: AT_ONCE,
}

# The peers that never complete a head, and the servers that answer them with a 408.
HEADLESS = [nothing, half_a_head, drips_its_head]
SENDS_408 = ["echo_server", "blocking", "tokio", "proxy", "broadcast"]


def limit_of(name, client):
    """How many seconds this server may take."""
    if name == "h2" and client in (half_a_head, holds_after_refusal, sends_after_refusal):
        # There is a connection without WebSockets, which ends when a PING is not answered.
        return SILENCE
    if name == "h2" and client is flood_close_ends:
        # The window is small, so the server still receives, and knows that the Close has come.
        return CLOSING
    if name == "h2" and client is drips_its_reading:
        # Each byte that is read counts, which a kernel does not report. There is one time before the
        # Close, and one for the bytes that are written before it.
        return 2 * OUTPUT + CLOSING
    return CLIENTS[client]


def serve(directory, name, client):
    """What is wrong with how a server example treats this client, if anything."""
    example, port = start_server(directory, name)
    before = example.files()
    connection = peer(name, port)
    if not example.opens_more_than(before):
        return "the connection is not accepted"
    begin, limit = time.monotonic(), limit_of(name, client)
    with ThreadPoolExecutor(1) as pool:
        behaviour = pool.submit(client, connection)
        try:
            while example.files() > before:
                if time.monotonic() > begin + limit + LATE:
                    return f"still served after {limit + LATE} s"
                if connection.has_ended():
                    # The transport is the peer's to end.
                    connection.stop()
                time.sleep(0.1)
            if client in HEADLESS and name in SENDS_408:
                connection.until(b"HTTP/1.1 408 ")
        finally:
            connection.stop()
    # A peer whose transport was ended is no fault. A peer that did not reach its state is one.
    error = behaviour.exception()
    if error and not isinstance(error, OSError):
        return f"{error!r}"
    try:
        peer(name, port).open()
    except (OSError, EOFError) as error:
        return f"the next one is not served: {error!r}"
    return None


# --- peers of clients ------------------------------------------------------------------------------


def never_accepts(server):
    # The queue has room for some connections, and these fill it: the example's is not answered.
    server.listener.listen(0)
    server.waiting = [socket.socket() for _ in range(4)]
    for other in server.waiting:
        other.setblocking(False)
        other.connect_ex(server.listener.getsockname())


def never_responds(server):
    server.accept()


def drips_its_response(server):
    response = server.accept()
    drip(server.socket.sendall, response[:-1])


def holds_after_refusing(server):
    server.refuse()


def says_nothing(server):
    server.open()


def drips_its_message(server):
    server.open()
    server.socket.sendall(b"\x81\x64abc")
    drip(server.socket.sendall, b"a")


def never_answers_the_close(server):
    server.open()
    server.socket.sendall(b"\x81\x01a")


def holds_after_answer(server):
    server.open()
    server.socket.sendall(b"\x81\x01a")
    server.await_close()
    server.socket.sendall(b"\x88\x02\x03\xe8")


def sends_after_answer(server):
    holds_after_answer(server)
    while True:
        server.socket.sendall(b"\x81\x01a")
        time.sleep(0.05)


def closes_and_holds(server):
    server.open()
    server.socket.sendall(b"\x88\x02\x03\xe8")


def fails_and_holds(server):
    server.open()
    server.socket.sendall(b"\x83\x00")


def fails_and_sends(server):
    fails_and_holds(server)
    while True:
        server.socket.sendall(b"\x81\x01a")
        time.sleep(0.05)


def reads_nothing(server):
    server.open()
    while True:
        server.socket.sendall(b"\x82\x7e\xea\x60" + b"x" * 60_000)


def resets_the_handshake(server):
    server.accept()
    server.reset()


def resets_the_client(server):
    server.open()
    server.socket.sendall(b"\x81\x05a")
    server.reset()


SERVER_PEERS = {
    never_accepts: HANDSHAKE,
    never_responds: HANDSHAKE,
    drips_its_response: HANDSHAKE,
    holds_after_refusing: AT_ONCE,
    says_nothing: SILENCE + CLOSING,
    drips_its_message: MESSAGE + CLOSING,
    never_answers_the_close: CLOSING,
    holds_after_answer: CLOSING,
    sends_after_answer: CLOSING,
    closes_and_holds: CLOSING,
    fails_and_holds: CLOSING,
    fails_and_sends: CLOSING,
    reads_nothing: OUTPUT + CLOSING,
    resets_the_handshake: AT_ONCE,
    resets_the_client: AT_ONCE,
}
# These need a client that sends by itself or closes, and `autobahn_client` does neither.
NOT_OF_AUTOBAHN = {never_answers_the_close, holds_after_answer, sends_after_answer, reads_nothing}


def dial(directory, name, server):
    """What is wrong with how a client example treats this server, if anything."""
    listener, limit = Listener(), SERVER_PEERS[server]
    if server is never_accepts:
        server(listener)
    echo = server is reads_nothing
    arguments = ["agent"] if name == "autobahn_client" else ["--echo"] if echo else ["--send", "a"]
    example = Example(directory, name, listener.url, *arguments)
    begin = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        behaviour = None if server is never_accepts else pool.submit(server, listener)
        try:
            while example.process.poll() is None:
                if time.monotonic() > begin + limit + LATE:
                    return f"still there after {limit + LATE} s"
                time.sleep(0.1)
        finally:
            listener.stop()
    error = behaviour and behaviour.exception()
    if error and not isinstance(error, OSError):
        return f"{error!r}"
    return None


def backend(directory, server):
    """What is wrong with how the proxy treats this backend, if anything."""
    # The client is sent the status or a Close, and does not answer.
    listener, limit = Listener(), SERVER_PEERS[server] + CLOSING
    if server is never_accepts:
        server(listener)
    example = Example(directory, "proxy", "127.0.0.1:0", listener.url)
    port, before = example.port(), example.files()
    connection = peer("proxy", port)
    if not example.opens_more_than(before):
        return "the connection is not accepted"
    connection.write(connection.head)
    begin = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        behaviour = None if server is never_accepts else pool.submit(server, listener)
        try:
            while example.files() > before:
                if time.monotonic() > begin + limit + LATE:
                    return f"still there after {limit + LATE} s"
                time.sleep(0.1)
        finally:
            listener.stop()
            connection.stop()
    return None


# A silent pair is not the proxy's to end, and its client neither closes nor sends here.
BACKENDS = [
    never_accepts,
    never_responds,
    drips_its_response,
    closes_and_holds,
    fails_and_holds,
    fails_and_sends,
    resets_the_handshake,
    resets_the_client,
]

# --- many connections, many streams ----------------------------------------------------------------


def out_of_files(directory, name):
    """A server that has no file left for a connection serves again once it has."""
    example, port = start_server(directory, name, files=32)
    held = [socket.create_connection(("127.0.0.1", port), WAIT) for _ in range(60)]
    time.sleep(2)
    for connection in held:
        connection.close()
    if example.process.poll() is not None:
        return "the example has ended"
    try:
        peer(name, port).open()
    except (OSError, EOFError) as error:
        return f"the next one is not served: {error!r}"
    return None


def many_streams(directory):
    """Streams that have ended take no memory."""
    example, port = start_server(directory, "h2")
    connection = Http2(port)
    connection.open()
    before = 0
    for lot in range(100):
        streams = range(2 * 50 * lot + 3, 2 * 50 * (lot + 1) + 3, 2)
        for stream in streams:
            connection.write(connection.headers(13, stream))
        connection.until(lambda: connection.answered.issuperset(streams))
        for stream in streams:
            connection.send(CLOSE, stream)
            connection.write(connection.end(stream))
        connection.until(lambda: connection.ended.issuperset(streams))
        if lot == 20:
            before = example.resident()
    grown = example.resident() - before
    return f"{grown} bytes are kept of 4 000 streams" if grown > 1 << 20 else None


def too_many_streams(directory):
    """A client has some hundred streams at the same time at most."""
    example, port = start_server(directory, "h2")
    connection = Http2(port)
    connection.open()
    for number in range(1, 1000):
        connection.write(connection.headers(13, 2 * number + 1))
    try:
        connection.until(lambda: len(connection.answered | connection.ended) == 1000)
    except EOFError:
        return "not every stream was answered"
    served = len(connection.answered - connection.ended)
    return None if 50 <= served <= 200 else f"{served} streams are served"


def burst(directory):
    """Messages that one client sends in a burst take no memory for the others once they were sent."""
    clients, texts = 200, 10_900
    example, port = start_server(directory, "broadcast")
    connections = [Tcp(port) for _ in range(clients)]
    for connection in connections:
        connection.open()
    before = example.resident()
    connections[0].send(b"\x81\x80\0\0\0\0" * texts)
    for connection in connections:
        connection.exactly(2 * texts)
    grown = (example.resident() - before) // clients
    return f"{grown} bytes are kept for each other client" if grown > 20_000 else None


def fault(check, *arguments):
    try:
        return check(*arguments)
    except (OSError, EOFError) as error:
        return f"the peer does not get so far: {error!r}"


def main(directory, wanted=""):
    cases = {}
    for name in SERVERS:
        for client in CLIENTS:
            cases[f"{name}, {client.__name__}"] = (serve, directory, name, client)
        if name != "blocking":  # which has one connection at a time
            cases[f"{name}, out_of_files"] = (out_of_files, directory, name)
    for server in SERVER_PEERS:
        cases[f"echo_client, {server.__name__}"] = (dial, directory, "echo_client", server)
        if server not in NOT_OF_AUTOBAHN:
            cases[f"autobahn_client, {server.__name__}"] = (dial, directory, "autobahn_client", server)
    for server in BACKENDS:
        cases[f"proxy, its backend {server.__name__}"] = (backend, directory, server)
    cases["broadcast, burst"] = (burst, directory)
    cases["h2, many_streams"] = (many_streams, directory)
    cases["h2, too_many_streams"] = (too_many_streams, directory)
    cases = {case: call for case, call in cases.items() if wanted in case}
    with ThreadPoolExecutor(len(cases)) as pool:
        running = {case: pool.submit(fault, *call) for case, call in cases.items()}
        faults = [f"{case}: {found}" for case, call in running.items() if (found := call.result())]
    if faults:
        sys.exit("hostile: failed:\n" + "\n".join(faults))
    return len(running)


if __name__ == "__main__":
    try:
        COUNT = main(*sys.argv[1:])
    finally:
        end_all()
    print(f"examples and peers that let them wait: {COUNT} checks passed")
    sys.exit(0 if COUNT else 1)
