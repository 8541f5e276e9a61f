//! The one list of all scenarios.

mod connect;
mod handshake;
mod message;
mod session;
mod subscription;
mod version5;
mod will;

use umqtt::Version;

use crate::World;
use crate::peer::Outcome;

/// What somebody may rely on, and how it is shown.
pub struct Scenario {
    /// Its name, a sentence in snake case.
    pub name: &'static str,
    /// The versions in which it means something.
    pub versions: &'static [Version],
    /// Plays it.
    pub play: fn(&mut World<'_>) -> Outcome,
}

const V3: &[Version] = &[Version::V3_1_1];
const V5: &[Version] = &[Version::V5];
const BOTH: &[Version] = &[Version::V3_1_1, Version::V5];

macro_rules! scenarios {
    ($($file:ident: $($name:ident in $versions:expr),+;)+) => {
        /// All of them.
        pub const SCENARIOS: &[Scenario] = &[
            $($(Scenario {
                name: stringify!($name),
                versions: $versions,
                play: $file::$name,
            },)+)+
        ];
    };
}

scenarios! {
    connect:
        a_client_with_will_user_password_and_keep_alive_is_let_in in BOTH,
        a_wrong_password_is_refused in BOTH,
        a_client_without_an_identifier_is_let_in_with_a_clean_session in BOTH,
        a_client_without_an_identifier_cannot_have_a_kept_session in V3,
        a_client_without_an_identifier_is_told_the_one_it_gets in V5,
        a_second_connection_of_a_client_takes_over_from_the_first in BOTH,
        a_client_that_pings_stays in BOTH,
        a_client_that_falls_silent_is_given_up_after_its_keep_alive in BOTH;
    message:
        every_qos_is_granted in BOTH,
        a_message_arrives_with_the_lower_qos_of_publisher_and_subscriber in BOTH,
        many_messages_in_flight_arrive_once_and_in_order in BOTH,
        a_megabyte_goes_there_and_back in BOTH,
        an_empty_payload_arrives in BOTH,
        a_retained_message_is_kept_replaced_and_cleared in BOTH,
        a_topic_may_have_dots_blanks_and_empty_levels in BOTH;
    subscription:
        wildcards_match_what_the_standard_says in BOTH,
        a_wildcard_at_the_front_does_not_match_topics_that_begin_with_a_dollar_sign in BOTH,
        of_overlapping_subscriptions_the_highest_qos_counts in BOTH,
        after_unsubscribe_nothing_comes in BOTH,
        unsubscribing_from_what_was_not_subscribed_is_told in V5,
        subscription_options_and_identifiers_do_what_they_say in V5,
        a_shared_subscription_shares in V5;
    session:
        a_kept_session_gets_what_came_while_it_was_away in BOTH,
        a_session_without_subscriptions_is_kept_too in BOTH,
        a_clean_session_forgets in BOTH,
        what_was_not_acknowledged_comes_again_with_dup in BOTH,
        a_session_lives_as_long_as_it_was_told_to in V5;
    handshake:
        a_message_of_qos_1_survives_a_cut_at_every_step_of_its_way_out in BOTH,
        a_message_of_qos_2_arrives_once_over_a_cut_at_every_step_of_its_way_out in BOTH,
        a_message_of_qos_1_survives_a_cut_at_every_step_of_its_way_in in BOTH,
        a_message_of_qos_2_comes_once_over_a_cut_at_every_step_of_its_way_in in BOTH,
        a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_out in BOTH,
        a_message_of_qos_2_arrives_once_over_a_restart_at_every_step_of_its_way_out in BOTH,
        a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_in in BOTH,
        a_message_of_qos_2_comes_once_over_a_restart_at_every_step_of_its_way_in in BOTH;
    will:
        the_will_of_a_client_whose_connection_breaks_is_published_and_retained in BOTH,
        the_will_of_a_client_that_says_goodbye_is_not in BOTH,
        a_client_can_leave_with_its_will in V5,
        a_will_waits_for_its_delay_and_not_if_the_client_comes_back in V5;
    version5:
        a_request_is_answered_by_its_response_topic_and_correlation_data in V5,
        a_message_keeps_its_properties in V5,
        a_message_that_has_expired_does_not_come in V5,
        a_topic_alias_stands_for_its_topic in V5,
        the_receive_maximum_of_either_side_is_kept in V5,
        a_message_larger_than_the_client_takes_does_not_come in V5;
}
