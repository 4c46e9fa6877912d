#!/usr/bin/env python3
"""WebSockets over HTTP/3 (RFC 9220) by aioquic and wsproto, for `examples/h3`.

Usage: http3.py client PORT CERT              checks the echo server at 127.0.0.1:PORT
       http3.py server CERT KEY COMMAND...    runs COMMAND with the address of an echo server, and
                                              CERT, at its end

The echo server is that of `examples/h3/src/server.rs`, in both roles.
"""

import asyncio
import os
import sys

import aioquic
import wsproto
from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection, Setting
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, StreamReset
from wsproto.connection import CLIENT, SERVER, Connection
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

CHECKS = 0
ECHO = "/echo"


def check(name, truth):
    global CHECKS
    if not truth:
        raise AssertionError(name)
    CHECKS += 1


class Peer(QuicConnectionProtocol):
    """A connection of HTTP/3, with the queue of what each stream receives."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.http, self.streams, self.settings = None, {}, asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        if not self.http:
            return
        for received in self.http.handle_event(event):
            if isinstance(received, HeadersReceived) and received.stream_id not in self.streams:
                self.requested(received)
            elif isinstance(received, (HeadersReceived, DataReceived)):
                self.streams[received.stream_id].put_nowait(received)
        if isinstance(event, StreamReset) and event.stream_id in self.streams:
            self.streams[event.stream_id].put_nowait(event)
        if self.http.received_settings and not self.settings.done():
            self.settings.set_result(self.http.received_settings)

    def requested(self, request):
        """Answers a request as `examples/h3/src/server.rs` does."""
        stream, fields = request.stream_id, dict(request.headers)
        self.streams[stream] = asyncio.Queue()
        wanted = {b":method": b"CONNECT", b":protocol": b"websocket", b":scheme": b"https", b"sec-websocket-version": b"13"}
        if fields.get(b":path") != ECHO.encode() or any(fields.get(name) != value for name, value in wanted.items()):
            self.http.send_headers(stream, [(b":status", b"404")], end_stream=True)
            return self.transmit()
        response, extensions = [(b":status", b"200")], []
        if "echo" in fields.get(b"sec-websocket-protocol", b"").decode().split(", "):
            response.append((b"sec-websocket-protocol", b"echo"))
        if offer := fields.get(b"sec-websocket-extensions"):
            deflate = PerMessageDeflate()
            response.append((b"sec-websocket-extensions", f"{deflate.name}; {deflate.accept(offer.decode())}".encode()))
            extensions.append(deflate)
        self.http.send_headers(stream, response)
        self.transmit()
        self.task = asyncio.ensure_future(echo(Socket(self, stream, Connection(SERVER, extensions))))


class Socket:
    """A WebSocket on one stream."""

    def __init__(self, peer, stream, ws):
        self.peer, self.stream, self.ws, self.parts = peer, stream, ws, []

    def write(self, data, end=False):
        self.peer.http.send_data(self.stream, data, end)
        self.peer.transmit()

    def send(self, *events):
        for event in events:
            self.write(self.ws.send(event))

    def end(self):
        self.write(b"", True)

    async def events(self):
        """Messages, joined, and other events. The last is `end` or `reset`."""
        while True:
            received = await self.peer.streams[self.stream].get()
            if isinstance(received, StreamReset):
                yield "reset"
                return
            if received.data:
                self.ws.receive_data(received.data)
            for event in self.ws.events():
                if not isinstance(event, Message):
                    yield event
                    continue
                self.parts.append(event.data)
                if event.message_finished:
                    yield self.parts[0][:0].join(self.parts)
                    self.parts = []
            if received.stream_ended:
                yield "end"
                return


async def echo(socket):
    closing = False
    async for event in socket.events():
        if isinstance(event, Ping):
            socket.send(event.response())
        elif isinstance(event, CloseConnection):
            if not closing:
                socket.send(event.response())
            socket.end()
        elif isinstance(event, Pong) or event in ("end", "reset"):
            pass
        elif event == "good bye":
            closing = True
            socket.send(CloseConnection(1000, "goodbye"))
        elif event == "reset me":
            socket.peer._quic.reset_stream(socket.stream, ErrorCode.H3_REQUEST_CANCELLED)
            socket.peer.transmit()
        else:
            socket.send(BytesMessage(event) if isinstance(event, bytes) else TextMessage(event))


async def request(peer, path=ECHO, fields=(), deflate=None):
    """The response to an extended CONNECT, and its WebSocket."""
    stream = peer._quic.get_next_available_stream_id()
    peer.streams[stream] = asyncio.Queue()
    pseudo = {":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":authority": "localhost", ":path": path}
    headers = [*pseudo.items(), ("sec-websocket-version", "13"), *fields]
    peer.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in headers])
    peer.transmit()
    response = await peer.streams[stream].get()
    check(f"a response for {path}", isinstance(response, HeadersReceived))
    response = dict(response.headers)
    if deflate:
        deflate.finalize(response.get(b"sec-websocket-extensions", b"").decode())
    return response, Socket(peer, stream, Connection(CLIENT, [deflate] if deflate else []))


async def conversation(peer, *events, **named):
    """What the server says until the end of the stream; a Close is answered."""
    response, socket = await request(peer, **named)
    check("status", response[b":status"] == b"200")
    socket.send(*events)
    closing = any(isinstance(event, CloseConnection) for event in events)
    heard = []
    async for event in socket.events():
        if isinstance(event, CloseConnection):
            if not closing:
                socket.send(event.response())
            event = (event.code, event.reason)
        heard.append(bytes(event.payload) if isinstance(event, Pong) else event)
    if heard[-1] == "end":
        socket.end()
    return heard, response


async def client(port, certificate):
    settings = QuicConfiguration(alpn_protocols=H3_ALPN, cafile=certificate, server_name="localhost")
    async with connect("127.0.0.1", port, configuration=settings, create_protocol=Peer) as peer:
        check("ENABLE_CONNECT_PROTOCOL", (await peer.settings).get(Setting.ENABLE_CONNECT_PROTOCOL) == 1)
        data = os.urandom(1 << 20)
        fragments = [TextMessage(part, message_finished=part == "fragments") for part in ("in ", "three ", "fragments")]
        heard, _ = await conversation(
            peer, TextMessage("Grüße über HTTP/3"), BytesMessage(data), *fragments, Ping(b"ping"), CloseConnection(4000, "done")
        )
        pongs = [event for event in heard if event == b"ping"]
        heard = [event for event in heard if event != b"ping"]
        check("pong", len(pongs) == 1)
        check("text", heard[0] == "Grüße über HTTP/3")
        check("1 MiB", heard[1] == data)
        check("fragments", heard[2] == "in three fragments")
        check("the Close is answered", heard[3][0] == 4000 and heard[4:] == ["end"])

        heard, _ = await conversation(peer, TextMessage("good bye"))
        check("the server closes", heard == [(1000, "goodbye"), "end"])
        heard, _ = await conversation(peer, TextMessage("reset me"))
        check("the server resets the stream", heard == ["reset"])

        response, _ = await request(peer, "/nothing")
        check("another path is refused", response[b":status"] == b"404")
        for offered, agreed in (("chat, echo", b"echo"), ("chat", None)):
            heard, response = await conversation(
                peer, CloseConnection(1000), fields=[("sec-websocket-protocol", offered)]
            )
            check(f"of {offered}: {agreed}", response.get(b"sec-websocket-protocol") == agreed)
            check("it closes", heard[-1] == "end")

        deflate = PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)
        offer = f"{deflate.name}; {deflate.offer()}"
        response, socket = await request(peer, fields=[("sec-websocket-extensions", offer)], deflate=deflate)
        agreed = response.get(b"sec-websocket-extensions", b"").decode()
        check("compression is agreed on", agreed.startswith(deflate.name))
        text = "Grüße über HTTP/3" * 10_000
        socket.send(TextMessage(text), CloseConnection(1000))
        heard = [event async for event in socket.events()]
        check("compressed text", heard[0] == text and heard[-1] == "end")
        socket.end()

        texts = [f"{number} " * number * 200 for number in range(1, 51)]
        conversations = [conversation(peer, TextMessage(text), CloseConnection(1000)) for text in texts]
        heard = [heard for heard, _ in await asyncio.gather(*conversations)]
        check("50 WebSockets at the same time", [[h[0], h[-1]] for h in heard] == [[text, "end"] for text in texts])
    print(f"aioquic {aioquic.__version__} with wsproto {wsproto.__version__} as the client: {CHECKS} checks passed")


async def server(certificate, key, *command):
    settings = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    settings.load_cert_chain(certificate, key)
    listening = await serve("127.0.0.1", 0, configuration=settings, create_protocol=Peer)
    port = listening._transport.get_extra_info("sockname")[1]
    process = await asyncio.create_subprocess_exec(*command, f"127.0.0.1:{port}", certificate)
    status = await process.wait()
    listening.close()
    return status


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    try:
        if role == "server":
            sys.exit(asyncio.run(asyncio.wait_for(server(*arguments), 60)))
        asyncio.run(asyncio.wait_for(client(int(arguments[0]), arguments[1]), 60))
    except AssertionError as error:
        sys.exit(f"http3: failed: {error}")
