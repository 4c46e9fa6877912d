// Netty, as the peer of an example. `libraries.py` starts it, says what the arguments are, and reads
// what it prints.

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.*;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketClientExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.*;
import io.netty.util.Version;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

class Library {
    static final int MAXIMUM = 1 << 26;
    static JsonObject all;
    static String subprotocol;
    static int passed;
    static String agreedSubprotocol, extensions, failed;

    /** A connection. Its events are arrays: the name of the event and its values. */
    static class Peer extends ChannelInboundHandlerAdapter {
        final LinkedBlockingQueue<List<Object>> events = new LinkedBlockingQueue<>();
        volatile Channel channel;
        volatile String subprotocol, extensions;
        /** A server has no other way to tell of a new connection. */
        final LinkedBlockingQueue<Peer> accepted;
        boolean closing;

        Peer(LinkedBlockingQueue<Peer> accepted) {
            this.accepted = accepted;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            channel = context.channel();
            if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete done) {
                subprotocol = done.selectedSubprotocol();
                accepted.add(this);
            } else if (event == WebSocketClientProtocolHandler.ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
                accepted.add(this);
            }
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (message instanceof FullHttpResponse response) {
                subprotocol = response.headers().get("Sec-WebSocket-Protocol");
                extensions = response.headers().get("Sec-WebSocket-Extensions");
                context.fireChannelRead(message);
            } else if (message instanceof TextWebSocketFrame frame) {
                events.add(List.of("message", frame.text()));
            } else if (message instanceof BinaryWebSocketFrame frame) {
                events.add(List.of("message", bytes(frame)));
            } else if (message instanceof PongWebSocketFrame frame) {
                events.add(List.of("pong", new String(bytes(frame), StandardCharsets.UTF_8)));
            } else if (message instanceof CloseWebSocketFrame frame) {
                events.add(List.of("close", frame.statusCode(), frame.reasonText()));
                if (!closing) context.writeAndFlush(frame.retain());
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            events.add(List.of("exception", cause.toString()));
        }

        void send(WebSocketFrame frame) {
            channel.writeAndFlush(frame);
        }

        void expect(String what, Object... wanted) throws InterruptedException {
            var event = events.take();
            for (int at = 0; at < wanted.length; at++) {
                if (at >= event.size() || !Arrays.deepEquals(new Object[] {wanted[at]}, new Object[] {event.get(at)})) {
                    var shown = event.toString();
                    throw new IllegalStateException(what + ": got " + shown.substring(0, Math.min(80, shown.length())));
                }
            }
            passed++;
        }
    }

    static byte[] bytes(WebSocketFrame frame) {
        var bytes = new byte[frame.content().readableBytes()];
        frame.content().readBytes(bytes);
        return bytes;
    }

    /** All cases in one connection, which this side closes. */
    static void exchange(Peer peer) throws InterruptedException {
        agreedSubprotocol = peer.subprotocol;
        extensions = peer.extensions;
        for (var element : all.getAsJsonArray("cases")) {
            var value = element.getAsJsonArray();
            var what = value.toString();
            switch (value.get(0).getAsString()) {
                case "text" -> {
                    var text = value.get(1).getAsString().repeat(value.get(2).getAsInt());
                    peer.send(new TextWebSocketFrame(text));
                    peer.expect(what, "message", text);
                }
                case "binary" -> {
                    var data = new byte[value.get(1).getAsInt()];
                    for (int at = 0; at < data.length; at++) data[at] = (byte) (at * 31 >> 3);
                    peer.send(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(data)));
                    peer.expect(what, "message", data);
                }
                case "ping" -> {
                    peer.send(ping(value.get(1).getAsString()));
                    peer.expect(what, "pong", value.get(1).getAsString());
                }
                case "fragments" -> fragments(peer, what, value.get(1).getAsJsonArray());
                default -> throw new IllegalStateException(what);
            }
        }
        var close = all.getAsJsonArray("close");
        peer.closing = true;
        peer.send(new CloseWebSocketFrame(close.get(0).getAsInt(), close.get(1).getAsString()));
        peer.expect("close by the library", "close", close.get(0).getAsInt());
    }

    static PingWebSocketFrame ping(String payload) {
        return new PingWebSocketFrame(Unpooled.copiedBuffer(payload, StandardCharsets.UTF_8));
    }

    static void fragments(Peer peer, String what, JsonArray pieces) throws InterruptedException {
        var before = passed;
        var text = new StringBuilder();
        for (int at = 0; at < pieces.size(); at++) {
            var piece = pieces.get(at).getAsString();
            var last = at == pieces.size() - 1;
            if (at > 0) peer.send(ping("between"));
            peer.send(at == 0 ? new TextWebSocketFrame(last, 0, piece) : new ContinuationWebSocketFrame(last, 0, piece));
            text.append(piece);
        }
        for (int at = 1; at < pieces.size(); at++) peer.expect(what, "pong", "between");
        peer.expect(what, "message", text.toString());
        passed = before + 1;
    }

    static Peer connect(URI uri, NioEventLoopGroup group) throws InterruptedException {
        var opened = new LinkedBlockingQueue<Peer>();
        var config = WebSocketClientProtocolConfig.newBuilder()
            .webSocketUri(uri).subprotocol(subprotocol).allowExtensions(true)
            .maxFramePayloadLength(MAXIMUM).handleCloseFrames(false).dropPongFrames(false).build();
        // RFC 7692 §7.1.1 permits to a server an answer with `server_no_context_takeover` that was not
        // offered. Netty takes it only by the last setting, and demands it then, though what it offers
        // is `client_no_context_takeover`. So it gets a second offer for that.
        var first = new PerMessageDeflateClientExtensionHandshaker(6, false, 15, true, false);
        var second = new PerMessageDeflateClientExtensionHandshaker(6, false, 15, true, true);
        new Bootstrap().group(group).channel(NioSocketChannel.class).handler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                var peer = new Peer(opened);
                ChannelPipeline pipeline = channel.pipeline();
                pipeline.addLast(new HttpClientCodec(), new HttpObjectAggregator(1 << 16));
                pipeline.addLast(new ChannelInboundHandlerAdapter() {
                    @Override
                    public void channelRead(ChannelHandlerContext context, Object message) {
                        if (message instanceof FullHttpResponse) peer.channelRead(context, message);
                        else context.fireChannelRead(message);
                    }
                });
                pipeline.addLast(new WebSocketClientExtensionHandler(first, second));
                pipeline.addLast(new WebSocketClientProtocolHandler(config), new WebSocketFrameAggregator(MAXIMUM), peer);
            }
        }).connect(uri.getHost(), uri.getPort()).sync();
        return opened.take();
    }

    static void client(URI uri, NioEventLoopGroup group) throws InterruptedException {
        exchange(connect(uri, group));
        var peer = connect(uri, group);
        peer.send(new TextWebSocketFrame("x".repeat(all.get("limit").getAsInt() + 1)));
        peer.expect("close by the example", "close", 1009);
    }

    static void server(NioEventLoopGroup group) throws InterruptedException {
        var accepted = new LinkedBlockingQueue<Peer>();
        var config = WebSocketServerProtocolConfig.newBuilder()
            .websocketPath("/").subprotocols(subprotocol).allowExtensions(true)
            .maxFramePayloadLength(MAXIMUM).handleCloseFrames(false).dropPongFrames(false).build();
        var server = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                ChannelPipeline pipeline = channel.pipeline();
                pipeline.addLast(new HttpServerCodec(), new HttpObjectAggregator(1 << 16));
                pipeline.addLast(new WebSocketServerExtensionHandler(new PerMessageDeflateServerExtensionHandshaker(6, true, 15, true, false)));
                pipeline.addLast(new WebSocketServerProtocolHandler(config), new WebSocketFrameAggregator(MAXIMUM), new Peer(accepted));
            }
        }).bind("127.0.0.1", 0).sync().channel();
        System.out.println(((InetSocketAddress) server.localAddress()).getPort());
        exchange(accepted.take());
        var peer = accepted.take();
        peer.expect("message", "message", "hello");
        passed--;
        peer.send(new TextWebSocketFrame("hello"));
        var close = all.getAsJsonArray("close");
        peer.expect("close by the example", "close", close.get(0).getAsInt(), close.get(1).getAsString());
    }

    public static void main(String[] arguments) throws Exception {
        all = new Gson().fromJson(Files.readString(Path.of(System.getProperty("cases"))), JsonObject.class);
        subprotocol = all.get("subprotocol").getAsString();
        var group = new NioEventLoopGroup(1);
        try {
            if (arguments[1].equals("client")) client(URI.create(arguments[2]), group);
            else server(group);
        } catch (Exception error) {
            failed = error.toString();
        }
        // What is still to be written is written.
        group.shutdownGracefully(100, 2000, TimeUnit.MILLISECONDS).sync();
        var result = new JsonObject();
        result.addProperty("version", Version.identify().get("netty-codec-http").artifactVersion());
        result.addProperty("passed", passed);
        result.add("cannot", new JsonArray());
        result.addProperty("subprotocol", agreedSubprotocol);
        result.addProperty("extensions", extensions);
        if (failed != null) result.addProperty("failed", failed);
        System.out.println(result);
    }
}
