//! One session, used by several tasks.

use core::cell::RefCell;

use umqtt::{Backlog, BacklogPolicy, Shared};

use crate::session::look_at;
use crate::text::show;
use crate::waiting::run;
use crate::world::{Clock, Transport, any, connect, identifier, message, shuffle, subscriptions};

pub fn all() {
    let (mut receive, mut send, mut memory) = ([0; 256], [0; 256], [0; 256]);
    let mut shared = Shared::new(any(&mut receive), any(&mut send), Clock);
    let backlog = RefCell::new(Backlog::new(
        any(&mut memory),
        any(BacklogPolicy::KeepLatest),
    ));
    run(async {
        while any(true) {
            turn(shuffle(&mut shared), any(&backlog)).await;
        }
    });
}

async fn turn(shared: &Shared<'_, Clock>, backlog: &RefCell<Backlog<'_>>) {
    match any(0) {
        0 => {
            let mut scratch = [0; 64];
            let connect = connect();
            let running = shared.run(any(Transport), &connect, any(&mut scratch), look_at);
            show(running.await);
        }
        1 => show(shared.publish(&message()).await),
        2 => {
            let feeding = shared.feed(backlog, |message, queued| {
                let _ = any((message, queued));
            });
            show(feeding.await);
        }
        3 => show(shared.settle(identifier()).await),
        4 => shared.connected().await,
        _ => {
            shared.with_session(|session| show(session.subscribe(subscriptions())));
        }
    }
}
