"""A WebSocket library of Python, as the peer of an example. `libraries.py` starts it, says what the
arguments are, and reads what it prints."""

import asyncio
import importlib.metadata
import json
import pathlib
import sys

CASES = json.loads((pathlib.Path(__file__).parent / "cases.json").read_text())
SUBPROTOCOL, LIMIT, CLOSE = CASES["subprotocol"], CASES["limit"], CASES["close"]


class Aiohttp:
    """A connection of aiohttp, which has no function for fragments."""

    sessions = []

    def __init__(self, socket, extensions):
        self.socket, self.agreed = socket, (socket.ws_protocol if hasattr(socket, "ws_protocol") else socket.protocol, extensions)

    @classmethod
    async def connect(cls, url):
        import aiohttp

        session = aiohttp.ClientSession()
        # Without `autoping`, Pongs are returned like messages.
        socket = await session.ws_connect(url, protocols=[SUBPROTOCOL], compress=15, max_msg_size=0, autoping=False)
        cls.sessions.append(session)
        return cls(socket, socket._response.headers.get("Sec-WebSocket-Extensions", ""))

    @classmethod
    async def listen(cls, opened):
        from aiohttp import web

        async def handle(request):
            socket = web.WebSocketResponse(protocols=[SUBPROTOCOL], compress=True, max_msg_size=0, autoping=False)
            await socket.prepare(request)
            await opened(cls(socket, None))
            return socket

        application = web.Application()
        application.add_routes([web.get("/", handle)])
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.addresses[0][1]

    async def next(self):
        message = await self.socket.receive()
        while message.type.name == "PING":
            await self.socket.pong(message.data)
            message = await self.socket.receive()
        kind = message.type.name.lower()
        if kind in ("text", "binary"):
            return "message", message.data
        return (kind, bytes(message.data).decode()) if kind == "pong" else (kind, message.data, message.extra)

    async def send(self, data):
        await (self.socket.send_str if isinstance(data, str) else self.socket.send_bytes)(data)

    async def ping(self, data):
        await self.socket.ping(data.encode())

    async def close(self, code, reason):
        await self.socket.close(code=code, message=reason.encode())
        return "close", self.socket.close_code


class Picows:
    """A connection of picows, which hands over frames."""

    def __init__(self, transport, events):
        self.transport, self.events = transport, events
        lines = transport.response.headers
        self.agreed = lines.get("Sec-WebSocket-Protocol", ""), lines.get("Sec-WebSocket-Extensions", "")

    @staticmethod
    def listener(opened):
        import picows

        class Listener(picows.WSListener):
            def on_ws_connected(self, transport):
                self.events, self.payload = asyncio.Queue(), b""
                self.peer = Picows(transport, self.events)
                opened(self.peer)

            def on_ws_frame(self, transport, frame):
                kind = frame.msg_type
                if kind == picows.WSMsgType.CLOSE:
                    self.events.put_nowait(("close", int(frame.get_close_code()), frame.get_close_reason()))
                    transport.send_close(frame.get_close_code(), b"")
                    transport.disconnect()
                elif kind == picows.WSMsgType.PONG:
                    self.events.put_nowait(("pong", frame.get_payload_as_utf8_text()))
                else:
                    if kind != picows.WSMsgType.CONTINUATION:
                        self.kind = kind
                    self.payload += frame.get_payload_as_bytes()
                    if frame.fin:
                        text = self.kind == picows.WSMsgType.TEXT
                        self.events.put_nowait(("message", self.payload.decode() if text else self.payload))
                        self.payload = b""

        return Listener

    @classmethod
    async def connect(cls, url):
        import picows

        _, listener = await picows.ws_connect(
            cls.listener(lambda peer: None), url, extra_headers={"Sec-WebSocket-Protocol": SUBPROTOCOL}
        )
        return listener.peer

    @classmethod
    async def listen(cls, opened):
        import picows

        tasks = set()
        listener = cls.listener(lambda peer: tasks.add(asyncio.ensure_future(opened(peer))))

        def accept(request):
            if request.headers.get("Sec-WebSocket-Protocol") != SUBPROTOCOL:
                return listener()
            response = picows.WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": SUBPROTOCOL})
            return picows.WSUpgradeResponseWithListener(response, listener())

        server = await picows.ws_create_server(accept, "127.0.0.1", 0)
        cls.server = server
        return server.sockets[0].getsockname()[1]

    async def next(self):
        return await self.events.get()

    async def send(self, data, first=True, fin=True):
        import picows

        kind = picows.WSMsgType.TEXT if isinstance(data, str) else picows.WSMsgType.BINARY
        payload = data.encode() if isinstance(data, str) else data
        self.transport.send(kind if first else picows.WSMsgType.CONTINUATION, payload, fin)

    async def ping(self, data):
        self.transport.send_ping(data.encode())

    async def fragments(self, pieces):
        for at, piece in enumerate(pieces):
            if at > 0:
                await self.ping("between")
            await self.send(piece, at == 0, at == len(pieces) - 1)

    async def close(self, code, reason):
        self.transport.send_close(code, reason.encode())
        return await self.next()


RESULT = {"passed": 0, "cannot": []}


def expect(what, got, *wanted):
    if got[: len(wanted)] != wanted:
        shown = [" ".join(f"{len(part)} bytes" if isinstance(part, bytes) else str(part)[:60] for part in event) for event in (got, wanted)]
        raise AssertionError(f"{what}: got {shown[0]}, not {shown[1]}")


async def exchange(peer):
    """All cases in one connection, which this side closes."""
    RESULT["subprotocol"], RESULT["extensions"] = peer.agreed
    for kind, *values in CASES["cases"]:
        what = f"{kind} {json.dumps(values)}"
        if kind in ("text", "binary"):
            data = values[0] * values[1] if kind == "text" else bytes((at * 31 >> 3) & 255 for at in range(values[0]))
            await peer.send(data)
            expect(what, await peer.next(), "message", data)
        elif not hasattr(peer, kind):
            RESULT["cannot"].append(kind)
            continue
        elif kind == "ping":
            await peer.ping(values[0])
            expect(what, await peer.next(), "pong", values[0])
        else:
            await peer.fragments(values[0])
            for _ in values[0][1:]:
                expect(what, await peer.next(), "pong", "between")
            expect(what, await peer.next(), "message", "".join(values[0]))
        RESULT["passed"] += 1
    expect("close by the library", await peer.close(*CLOSE), "close", CLOSE[0])
    RESULT["passed"] += 1


async def client(library, url):
    await exchange(await library.connect(url))
    peer = await library.connect(url)
    await peer.send("x" * (LIMIT + 1))
    expect("close by the example", await peer.next(), "close", 1009)
    RESULT["passed"] += 1


async def server(library):
    accepted = asyncio.Queue()

    async def opened(peer):
        done = asyncio.Event()
        await accepted.put((peer, done))
        await done.wait()

    print(await library.listen(opened), flush=True)
    peer, done = await accepted.get()
    await exchange(peer)
    done.set()
    peer, done = await accepted.get()
    expect("message", await peer.next(), "message", "hello")
    await peer.send("hello")
    expect("close by the example", await peer.next(), "close", *CLOSE)
    RESULT["passed"] += 1
    done.set()


async def main(name, role, *url):
    RESULT["version"] = importlib.metadata.version(name)
    library = {"aiohttp": Aiohttp, "picows": Picows}[name]
    try:
        await (client(library, *url) if role == "client" else server(library))
    except Exception as error:
        RESULT["failed"] = f"{type(error).__name__}: {error}"
    for session in Aiohttp.sessions:
        await session.close()
    print(json.dumps(RESULT), flush=True)


asyncio.run(main(*sys.argv[1:]))
