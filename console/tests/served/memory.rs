//! What a console takes of a board's memory. Pointers are twice as long here, so a board takes less.

use monster_console::{EVENT_STREAMS, Entrance, REQUEST_BUFFER, serve};
use picoserve::time::TokioTimer;

use crate::bench::Bench;

/// What the console may add on a board, in bytes.
const ALLOWED: usize = 48 * 1024;
/// Connections at once: the pages that are open, and two more.
const CONNECTIONS: usize = EVENT_STREAMS + 2;
/// What a board gives a connection to receive and to send with.
const SOCKET: usize = 512 + 1024;

#[test]
fn a_board_has_room_for_it() {
    Bench::run(&[], async |bench| {
        let shared = size_of_val(bench.console());
        let mut buffer = [0; REQUEST_BUFFER];
        let socket = bench.connect().await;
        let serving = size_of_val(&serve(
            bench.console(),
            &TokioTimer,
            Entrance::Network,
            socket,
            &mut buffer,
        ));
        let connection = serving + REQUEST_BUFFER + SOCKET;
        let all = shared + CONNECTIONS * connection;
        println!(
            "console: {all} bytes: {shared} once, and {connection} for each of {CONNECTIONS} \
             connections, of which {serving} are the server's"
        );
        assert!(all <= ALLOWED, "{all}");
    });
}
