/* An echo server with poll(2), for any number of connections, with one read buffer for all:
 *
 *     cargo build --release --manifest-path examples/c/Cargo.toml
 *     cc -o server examples/c/server.c examples/c/target/release/libwebsocket_proto_c.a -lm
 *     ./server 9004
 *
 * A text "goodbye" is answered by a Close. The server ends, and frees everything, at a SIGTERM. */
#define _GNU_SOURCE /* ppoll */
#include "websocket_proto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Connection i has polled[i] and connections[i]. The listener is polled[0]. */
static struct pollfd *polled;
static wsp **connections;
static size_t count, room;
static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void receive(wsp *ws, wsp_input input) {
  wsp_bytes message;
  int kind;
  while ((kind = wsp_receive(ws, &input, &message)) != WSP_NOTHING) {
    if (kind == WSP_REQUEST) {
      if (!wsp_answer(ws, 101)) wsp_abort(ws); /* no memory */
    } else if (kind == WSP_TEXT && message.length == 7 && memcmp(message.at, "goodbye", 7) == 0) {
      wsp_close(ws, 1000, message);
    } else {
      /* While the connection closes, a message cannot be answered. That is not an error here. */
      wsp_send(ws, kind, message);
    }
  }
}

/* Reads once, and writes until the socket takes no more. Returns whether the connection goes on. */
static bool turn(struct pollfd *socket, wsp *ws) {
  static uint8_t buffer[16384];
  wsp_input input = {buffer, 0};
  if (socket->revents != 0 && wsp_wants_read(ws)) {
    ssize_t length = recv(socket->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (length > 0) {
      input.length = (size_t)length;
    } else if (length == 0) {
      wsp_receive_eof(ws);
    } else if (errno != EAGAIN && errno != EINTR) {
      wsp_abort(ws);
    }
  }
  receive(ws, input);
  wsp_tick(ws, now());
  for (;;) {
    wsp_bytes output = wsp_output(ws);
    if (output.length == 0) break;
    ssize_t length = send(socket->fd, output.at, output.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno != EAGAIN) {
      wsp_abort(ws);
    } else {
      wsp_written(ws, length < 0 ? 0 : (size_t)length);
    }
    receive(ws, (wsp_input){buffer, 0}); /* there may be room for what was held back */
    if (length < 0) break;
  }
  switch (wsp_next_step(ws)) {
    case WSP_SHUTDOWN_WRITE:
      shutdown(socket->fd, SHUT_WR);
      break;
    case WSP_DROP:
      return false;
  }
  socket->events = (wsp_wants_read(ws) ? POLLIN : 0) | (wsp_output(ws).length > 0 ? POLLOUT : 0);
  return true;
}

static void forget(size_t i) {
  char ending[256];
  if (wsp_ending(connections[i], ending, sizeof ending) > 0) puts(ending);
  wsp_free(connections[i]);
  close(polled[i].fd);
  count--;
  polled[i] = polled[count];
  connections[i] = connections[count];
  polled[0].events = POLLIN;
}

static void add(int socket) {
  if (count == room) {
    size_t more = room == 0 ? 16 : 2 * room;
    void *new_polled = realloc(polled, more * sizeof *polled);
    if (new_polled != NULL) polled = new_polled;
    void *new_connections = realloc(connections, more * sizeof *connections);
    if (new_connections != NULL) connections = new_connections;
    if (new_polled == NULL || new_connections == NULL) {
      close(socket);
      return;
    }
    room = more;
  }
  polled[count] = (struct pollfd){.fd = socket, .events = POLLIN};
  connections[count] = NULL;
  if (count > 0) {
    connections[count] = wsp_server();
    wsp_tick(connections[count], now());
  }
  count++;
}

/* Returns the time until the next deadline of all connections; NULL if there is none. */
static struct timespec *time_left(struct timespec *time) {
  uint64_t first = WSP_NEVER, begin = now();
  for (size_t i = 1; i < count; i++) {
    uint64_t deadline = wsp_deadline(connections[i]);
    if (deadline < first) first = deadline;
  }
  if (first == WSP_NEVER) return NULL;
  uint64_t left = first > begin ? first - begin : 0;
  time->tv_sec = (time_t)(left / 1000);
  time->tv_nsec = (long)(left % 1000) * 1000000;
  return time;
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9004));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0) {
    perror("bind");
    return 1;
  }

  /* The signal is blocked except while ppoll waits. */
  struct sigaction action = {.sa_handler = stop};
  sigset_t none, term;
  sigemptyset(&none);
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, NULL);
  sigaction(SIGTERM, &action, NULL);

  add(listener);
  if (count == 0) return 1;
  while (!stopped) {
    struct timespec time;
    if (ppoll(polled, count, time_left(&time), &none) < 0) continue;
    uint64_t begin = now();
    /* From the last to the first, because the last connection takes the place of a removed one. */
    for (size_t i = count - 1; i > 0; i--) {
      bool due = wsp_deadline(connections[i]) <= begin;
      if ((polled[i].revents != 0 || due) && !turn(&polled[i], connections[i])) forget(i);
    }
    if (polled[0].revents != 0) {
      int socket = accept(listener, NULL, NULL);
      if (socket >= 0) {
        add(socket);
      } else if (errno == EMFILE || errno == ENFILE) {
        polled[0].events = 0; /* until a connection is forgotten */
      }
    }
  }
  while (count > 1) forget(count - 1);
  close(listener);
  free(polled);
  free(connections);
  return 0;
}
