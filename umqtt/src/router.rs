//! From topic filters to handlers.

use crate::packet::Qos;
use crate::packet::publish::Message;
use crate::packet::subscribe::Subscription;
use crate::topic::TopicFilter;

/// A filter to subscribe to, and what to do with the messages that match it.
///
/// `C` is the context that handlers change.
pub struct Route<'r, C> {
    filter: TopicFilter<'r>,
    qos: Qos,
    handler: fn(&mut C, &Message<'_>),
}

impl<'r, C> Route<'r, C> {
    /// Messages that match `filter`, wanted at no more than `qos`, go to `handler`.
    pub const fn new(filter: TopicFilter<'r>, qos: Qos, handler: fn(&mut C, &Message<'_>)) -> Self {
        Route {
            filter,
            qos,
            handler,
        }
    }

    /// What to subscribe to for this route.
    pub const fn subscription(&self) -> Subscription<'r> {
        Subscription::new(self.filter.as_str(), self.qos)
    }
}

/// Hands a message to every route it matches, in their order; returns to how many.
///
/// ```
/// use umqtt::{Message, Qos, Route, TopicError, TopicFilter, dispatch};
///
/// #[derive(Default)]
/// struct House {
///     lamp: bool,
///     heard: u32,
/// }
///
/// fn routes() -> Result<[Route<'static, House>; 2], TopicError> {
///     Ok([
///         Route::new(TopicFilter::new("lamp/set")?, Qos::AtLeastOnce, |house, message| {
///             house.lamp = message.payload == b"on";
///         }),
///         Route::new(TopicFilter::new("#")?, Qos::AtMostOnce, |house, _| house.heard += 1),
///     ])
/// }
///
/// // What to subscribe to: `client.subscribe(&routes.each_ref().map(Route::subscription))`.
/// // What to do with what comes:
/// fn on_message(routes: &[Route<'_, House>], house: &mut House, message: &Message<'_>) {
///     dispatch(routes, house, message);
/// }
/// # routes()?;
/// # Ok::<(), TopicError>(())
/// ```
pub fn dispatch<C>(routes: &[Route<'_, C>], context: &mut C, message: &Message<'_>) -> usize {
    let name = message.topic;
    let mut handled = 0;
    for route in routes.iter().filter(|route| route.filter.matches(name)) {
        (route.handler)(context, message);
        handled += 1;
    }
    handled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::properties::Properties;
    use crate::topic::TopicName;

    #[test]
    fn a_message_goes_to_every_route_it_matches_in_their_order() {
        let filter = |text| TopicFilter::new(text).unwrap();
        let routes: [Route<'_, [u8; 4]>; 4] = [
            Route::new(filter("a/+"), Qos::AtMostOnce, |calls, message| {
                assert_eq!(message.payload, b"x");
                calls[0] += 1;
            }),
            Route::new(filter("b/#"), Qos::AtLeastOnce, |calls, _| calls[1] += 1),
            Route::new(filter("#"), Qos::ExactlyOnce, |calls, _| {
                assert_eq!(calls[0], 1, "the first comes first");
                calls[2] += 1;
            }),
            Route::new(filter("$share/g/a/b"), Qos::AtMostOnce, |calls, _| {
                calls[3] += 1
            }),
        ];
        let message = Message {
            topic: TopicName::new("a/b").unwrap(),
            payload: b"x",
            qos: Qos::AtMostOnce,
            retain: false,
            dup: false,
            properties: Properties::NONE,
        };
        let mut calls = [0; 4];
        assert_eq!(dispatch(&routes, &mut calls, &message), 3);
        assert_eq!(calls, [1, 0, 1, 1]);
        let subscriptions = routes.each_ref().map(Route::subscription);
        assert_eq!(subscriptions[1].filter, "b/#");
        assert_eq!(subscriptions[2].qos, Qos::ExactlyOnce);
    }
}
