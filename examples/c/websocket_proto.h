/* The server's side of a WebSocket, without I/O: `Endpoint<Server>` of the crate websocket-proto.
 *
 * A driver passes what it has read to wsp_receive until that returns WSP_NOTHING, writes wsp_output,
 * waits no longer than wsp_deadline, and does what wsp_next_step says. server.c and server.py are two
 * such drivers.
 *
 * Functions that take a wsp need a pointer from wsp_server that was not freed, and are called by one
 * thread at a time. Different wsp may be used by different threads. Pointers to results are never null.
 * A pointer to bytes may be null if there are none.
 */
#ifndef WEBSOCKET_PROTO_H
#define WEBSOCKET_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One connection, from its first byte to its last. */
typedef struct wsp wsp;

/* Bytes of the caller, which are taken off the front. */
typedef struct {
  uint8_t *at;
  size_t length;
} wsp_input;

/* Bytes that are only read: those of the caller, or those that a function lends to the caller. */
typedef struct {
  const uint8_t *at;
  size_t length;
} wsp_bytes;

/* The kind of a received message. Pings, Closes and violations are answered automatically. */
enum { WSP_NOTHING, WSP_REQUEST, WSP_TEXT, WSP_BINARY };

/* The result of a send. */
enum {
  WSP_SENT,
  WSP_CLOSING, /* the connection is not open yet, or not any more */
  WSP_FULL,    /* too much output waits: send again once it was written */
  WSP_INVALID  /* text or a reason that is not UTF-8 or too long, a code that may not be sent */
};

/* The next step for the transport. */
enum {
  WSP_CONTINUE,
  WSP_SHUTDOWN_WRITE, /* end the writing side; returned once */
  WSP_AWAIT_EOF,      /* read until the peer ends its side */
  WSP_DROP            /* close the transport, log wsp_ending, and free the wsp */
};

/* No deadline. */
#define WSP_NEVER UINT64_MAX

/* Returns a new connection. It is freed by wsp_free. */
wsp *wsp_server(void);
void wsp_free(wsp *ws);

/* Takes bytes off the front of the input, and returns the kind of the message. WSP_NOTHING means
 * that all bytes were taken. Call this until it returns WSP_NOTHING after each read, and with an
 * empty input after each write.
 *
 * The message of a WSP_REQUEST is the requested path. Answer it with wsp_answer. A message is in
 * the input or in the wsp. It is valid until the input is changed, and until the next call with
 * this wsp other than wsp_send and wsp_close. So it may be sent back, but not used after
 * wsp_tick. */
int wsp_receive(wsp *ws, wsp_input *input, wsp_bytes *message);

/* Answers the request: 101 opens the connection, another status from 200 to 599 refuses it. Returns
 * whether that was possible. */
bool wsp_answer(wsp *ws, uint16_t status);

/* Sends a message. The kind is WSP_TEXT or WSP_BINARY. */
int wsp_send(wsp *ws, int kind, wsp_bytes payload);

/* Begins to close with a code and a reason of at most 123 bytes of UTF-8 (RFC 6455, section 7.4). */
int wsp_close(wsp *ws, uint16_t code, wsp_bytes reason);

/* Returns the bytes to write. They are valid until the next call with this wsp. */
wsp_bytes wsp_output(const wsp *ws);

/* Reports how many bytes of the output the transport took, even if it took none. */
void wsp_written(wsp *ws, size_t count);

/* Returns whether the driver should read. Call it after wsp_receive. */
bool wsp_wants_read(const wsp *ws);

/* Reports that the peer has ended its stream. Call it after all bytes before were received. */
void wsp_receive_eof(wsp *ws);

/* Reports that the transport broke. */
void wsp_abort(wsp *ws);

/* Sets the time in milliseconds of a clock that never goes back. Without it no deadline applies. */
void wsp_tick(wsp *ws, uint64_t now);

/* Returns when to call wsp_tick at the latest, or WSP_NEVER. */
uint64_t wsp_deadline(const wsp *ws);

/* Returns the next step for the transport. */
int wsp_next_step(wsp *ws);

/* Writes a line that describes how the connection ended, of at most size - 1 bytes and a zero, and
 * returns its full length, like snprintf. The line is empty before the end. `line` has `size`
 * bytes. */
size_t wsp_ending(const wsp *ws, char *line, size_t size);

#ifdef __cplusplus
}
#endif

#endif
