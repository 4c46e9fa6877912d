"""Compressed messages, for `websockets` as a client and as a server: what is under test echoes them,
and compresses whatever it sends."""

import random

from websockets.frames import CTRL_OPCODES

NAME = "permessage-deflate"


class Wire:
    """Stands in for the extension of a connection, to see how its frames look on the wire."""

    def __init__(self, peer):
        (self.extension,) = peer.protocol.extensions
        peer.protocol.extensions[0] = self
        self.compresses = True
        self.sent, self.received = [], []

    def encode(self, frame):
        if self.compresses:
            frame = self.extension.encode(frame)
        if frame.opcode not in CTRL_OPCODES:
            self.sent.append((frame.rsv1, len(frame.data)))
        return frame

    def decode(self, frame, *, max_size=None):
        if frame.opcode not in CTRL_OPCODES:
            self.received.append((frame.rsv1, len(frame.data)))
        return self.extension.decode(frame, max_size=max_size)


def parameters(header):
    """The elements of a Sec-WebSocket-Extensions, each as a set of its parameters."""
    elements = [[part.strip() for part in element.split(";")] for element in header.split(",")]
    assert all(parts[0] == NAME and len(parts) == len(set(parts)) for parts in elements), header
    return [set(parts[1:]) for parts in elements]


async def exchange(peer, check, refrains=False):
    """Sends messages of many kinds and has them echoed, over a connection that has agreed.

    The other side may refrain from taking its context over although it was agreed that it may.
    """
    wire = Wire(peer)
    extension = wire.extension
    who = f"{peer.protocol.side.name} with {extension}"
    # The same in every run, because zlib overlooks the repetition of some noise, but for each kind of
    # connection another, so that messages of one do not pass for those of another.
    noise_of = random.Random(who).randbytes
    # For each direction: whether the context is taken over, and the window.
    there = not extension.local_no_context_takeover, extension.local_max_window_bits
    back = not (refrains or extension.remote_no_context_takeover), extension.remote_max_window_bits

    async def echo(what, message, whole=None):
        """How many bytes the message took there, and how many back."""
        wire.sent.clear()
        wire.received.clear()
        await peer.send(message)
        check(f"{what}, echoed to {who}", await peer.recv() == (message if whole is None else whole))
        check(f"{what}, compressed by the other side of {who}", [rsv1 for rsv1, _ in wire.received] == [True])
        return sum(length for _, length in wire.sent), wire.received[0][1]

    async def lengths(what, message, fits):
        """An echo whose lengths fit, by the takeover and the window of their direction."""
        for length, (takeover, bits) in zip(await echo(what, message), (there, back)):
            check(f"{what}, {length} bytes, of {who}", fits(length, takeover, bits))

    for text in ("", "a", "hello", "hello", "κόσμε 🦀", "κόσμε 🦀" * 5000):
        await echo(f"{len(text)} characters", text)
    for data in (b"", b"\0", b"\0\0", bytes(range(256))):
        await echo(f"{len(data)} bytes", data)
    noise = noise_of(300_000)
    for _ in range(2):
        await lengths("300 KB of text", "x" * 300_000, lambda length, *_: length < 3_000)
        await lengths("300 KB of noise", noise, lambda length, *_: 299_000 < length < 310_000)

    # Noise is short only where it refers to the same noise: within a message always, to the message
    # before it where the context is taken over, and only within the window. There zlib leaves 262
    # bytes unused, and of the smallest window all.
    for bits in sorted({there[1], back[1]}):
        near, far = noise_of((1 << bits) // 2 - 50), noise_of((1 << bits) + 50)

        def within(length, _, own):
            return (length < len(near) * 5 / 4) == (own >= max(bits, 9))

        def again(length, takeover, own):
            return (length < len(near) / 8) == (takeover and own >= max(bits, 9))

        def beyond(length, takeover, own):
            return (length < len(far) / 8) == (takeover and own > bits)

        await lengths("noise twice in a message", near + near, within)
        await lengths("the same noise again", near, again)
        await echo("more noise than the window has", far)
        await lengths("the same noise from beyond the window", far, beyond)

    # What is not compressed leaves the context as it is.
    near = noise_of(200)
    await echo("noise", near)
    wire.compresses = False
    for message in ("", "κόσμε 🦀", "y" * 100_000, b"z"):
        await echo(f"{len(message)} as they are", message)
        check("not compressed", [rsv1 for rsv1, _ in wire.sent] == [False])
    wire.compresses = True
    sent, _ = await echo("noise behind what is not compressed", near)
    check(f"the context of {who} outlives what is not compressed", (sent < 50) == there[0])

    # Fragments, and a Ping between two.
    pieces = ["zerlegt: \u00e4\U0001f980", "", " Ende"]
    for compresses in (True, False, True):
        wire.compresses = compresses
        await echo("fragments", pieces, "".join(pieces))
        check("fragments on the wire", len(wire.sent) > 2 and wire.sent[0][0] == compresses)
        check("fragments behind the first", not any(rsv1 for rsv1, _ in wire.sent[1:]))

    async def slowly():
        for piece in (near[:70], near[70:130], near[130:]):
            yield piece
            await (await peer.ping())

    await echo("fragments with Pings between", slowly(), near)

    # Many at once, which the reads of the other side cut anywhere.
    many = [noise_of(length) + bytes(length) for length in range(0, 20_000, 997)]
    wire.received.clear()
    for at, message in enumerate(many):
        wire.compresses = at % 3 != 1
        await peer.send(message)
    for message in many:
        check("one of many", await peer.recv() == message)
    check("all of them compressed", [rsv1 for rsv1, _ in wire.received] == [True] * len(many))
    wire.compresses = True
