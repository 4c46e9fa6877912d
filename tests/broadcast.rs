//! Prepared messages: one encoded copy for any number of connections, under the rules of all sends.

use std::hint::black_box;

use crate::allocator::measure;
use crate::common::hex;
use websocket_proto::{Agreed, Config, Connection, Data, Prepared, SendError, Server};

/// Returns how many bytes `work` allocates.
fn allocated(work: impl FnOnce()) -> usize {
    measure(work).1.allocated
}

fn server() -> Connection<Server> {
    Connection::new(Server, &Config::new(), Agreed::new())
}

#[test]
fn one_copy_serves_ten_thousand_connections() {
    const CONNECTIONS: usize = 10_000;
    let text = "a".repeat(1000);
    let frame = 4 + text.len();
    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| (server(), Vec::new())).collect();
    let shared = allocated(|| {
        let message = Prepared::new(Data::Text(&text));
        for (connection, _) in &mut connections {
            assert_eq!(black_box(connection.prepared(&message).unwrap()).len(), frame);
        }
    });
    assert_eq!(shared, frame);
    let copied = allocated(|| {
        for (connection, out) in &mut connections {
            connection.send_text(&text, out).unwrap();
        }
    });
    assert!(connections.iter().all(|(_, out)| out.len() == frame));
    assert!(copied >= CONNECTIONS * frame, "{copied}");
}

#[test]
fn all_connections_get_the_same_bytes_and_not_a_copy() {
    let message = Prepared::new(Data::Binary(&[7; 300]));
    let (one, two) = (server(), server());
    let first = one.prepared(&message).unwrap();
    let second = two.prepared(&message).unwrap();
    assert_eq!(first.as_ptr_range(), second.as_ptr_range());
    assert_eq!(first, hex("82 7E 01 2C 07*300"));
}

#[test]
fn they_are_the_bytes_that_the_connection_would_send() {
    for length in [0, 1, 125, 126, 65_535, 65_536] {
        let text = "a".repeat(length);
        for data in [Data::Text(&text), Data::Binary(text.as_bytes())] {
            let mut sent = Vec::new();
            server().send_fragment(data, true, &mut sent).unwrap();
            assert_eq!(server().prepared(&Prepared::new(data)).unwrap(), sent);
        }
    }
}

#[test]
fn r6455_5_4_d_a_prepared_message_waits_for_the_end_of_a_fragmented_one() {
    let (mut connection, mut out) = (server(), Vec::new());
    let message = Prepared::new(Data::Text("b"));
    connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
    assert_eq!(connection.prepared(&message), Err(SendError::MessageOpen));
    connection.send_fragment(Data::Text("a"), true, &mut out).unwrap();
    assert!(connection.prepared(&message).is_ok());
}

#[test]
fn r6455_5_5_1_e_no_prepared_message_follows_a_close() {
    let message = Prepared::new(Data::Text("b"));
    let mut closed = server();
    closed.close(None, &mut Vec::new()).unwrap();
    assert_eq!(closed.prepared(&message), Err(SendError::Closing));
    let mut ended = server();
    ended.receive_eof();
    assert_eq!(ended.prepared(&message), Err(SendError::Closing));
}
