//! From topic filters to handlers.

use crate::packet::Qos;
use crate::packet::publish::Message;
use crate::packet::subscribe::Subscription;
use crate::topic::{TopicFilter, TopicName};

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
/// use umqtt::{Message, Qos, Route, TopicFilter, dispatch};
///
/// #[derive(Default)]
/// struct House {
///     lamp: bool,
///     heard: u32,
/// }
///
/// # fn main() -> Result<(), umqtt::TopicError> {
/// let routes = [
///     Route::new(TopicFilter::new("lamp/set")?, Qos::AtLeastOnce, |house: &mut House, message| {
///         house.lamp = message.payload == b"on";
///     }),
///     Route::new(TopicFilter::new("#")?, Qos::AtMostOnce, |house: &mut House, _| house.heard += 1),
/// ];
/// let subscriptions = routes.each_ref().map(Route::subscription);
///
/// # let message = Message::new("lamp/set", b"on");
/// let mut house = House::default();
/// assert_eq!(dispatch(&routes, &mut house, &message), 2);
/// assert!(house.lamp);
/// # let _ = subscriptions;
/// # Ok(())
/// # }
/// ```
pub fn dispatch<C>(routes: &[Route<'_, C>], context: &mut C, message: &Message<'_>) -> usize {
    let Ok(name) = TopicName::new(message.topic) else {
        return 0;
    };
    let mut handled = 0;
    for route in routes.iter().filter(|route| route.filter.matches(name)) {
        (route.handler)(context, message);
        handled += 1;
    }
    handled
}
