//! What stands beside the wire: topics, routes, messages that wait, time.

use umqtt::{
    Backlog, BacklogPolicy, Event, Message, Qos, Route, Session, TopicFilter, TopicName, dispatch,
};

use crate::text::show;
use crate::world::{any, message, now, qos, shuffle};

pub fn all() {
    names();
    backlog();
    time();
}

fn names() {
    let name = any(TopicName::new(any("t")));
    let filter = any(TopicFilter::new(any("f")));
    show(name);
    show(filter);
    let (Ok(name), Ok(filter)) = (name, filter) else {
        return;
    };
    any((
        name.as_str(),
        name.as_bytes(),
        filter.as_str(),
        filter.share_name(),
    ));
    any(filter.matches(name));
    any(name == any("t"));
    show(Err::<(), _>(name));
    show(Err::<(), _>(filter));
}

/// Hands what comes to handlers.
pub fn route(session: &mut Session<'_>) {
    let Ok(filter) = any(TopicFilter::new("f")) else {
        return;
    };
    let handler = |context: &mut u32, message: &Message<'_>| {
        any((context, message));
    };
    let routes = [Route::new(filter, qos(), handler)];
    any(routes.each_ref().map(Route::subscription));
    if let Ok(Some(Event::Message(message))) = session.poll(now()) {
        any(dispatch(any(&routes), &mut 0, &message));
    }
}

fn backlog() {
    let (mut memory, mut receive, mut send) = ([0; 256], [0; 256], [0; 256]);
    let mut session = Session::new(any(&mut receive), any(&mut send));
    let mut backlog = Backlog::new(any(&mut memory), any(BacklogPolicy::KeepLatest));
    while any(true) {
        let backlog = shuffle(&mut backlog);
        let session = shuffle(&mut session);
        match any(0) {
            0 => show(backlog.push(&message())),
            1 => {
                any(backlog.feed(session, |message, queued| {
                    let _ = any((message, queued));
                }));
            }
            2 => drop(any(backlog.front())),
            3 => drop(any(backlog.pop())),
            4 => backlog.clear(),
            5 => {
                for message in backlog.iter() {
                    any(message);
                }
            }
            6 => route(session),
            _ => {
                any((backlog.is_empty(), backlog.dropped(), backlog.replaced()));
            }
        }
    }
}

fn time() {
    let (earlier, later) = (now(), now());
    any(later.since(earlier));
    any(later.after(any(1)).as_millis());
    show(Err::<(), _>(later));
    any(Qos::from_bits(any(3)));
}
