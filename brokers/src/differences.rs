//! Where a broker is known to do otherwise than the standard has it, and why.

use umqtt::Version;

/// A difference of one broker in one scenario.
#[derive(Debug)]
pub struct Difference {
    /// The scenario.
    pub scenario: &'static str,
    /// The broker.
    pub broker: &'static str,
    /// In which versions.
    pub versions: &'static [Version],
    /// What the scenario says then: a part of it, or one of several.
    pub seen: &'static [&'static str],
    /// Whether it takes a certain moment, which does not always come: then the cell may also be as the standard has it.
    pub is_of_the_moment: bool,
    /// Why it is so, and what a client makes of it.
    pub why: &'static str,
}

/// What is declared for a broker in a scenario.
pub fn declared(scenario: &str, broker: &str, version: Version) -> Option<&'static Difference> {
    DIFFERENCES
        .iter()
        .find(|it| it.scenario == scenario && it.broker == broker && it.versions.contains(&version))
}

const V3: &[Version] = &[Version::V3_1_1];
const V5: &[Version] = &[Version::V5];
const BOTH: &[Version] = &[Version::V3_1_1, Version::V5];

/// All that are known.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        scenario: "a_second_connection_of_a_client_takes_over_from_the_first",
        broker: "mosquitto",
        versions: V5,
        seen: &["no reason is given"],
        is_of_the_moment: false,
        why: "2.0.11 closes the first connection without a DISCONNECT that says \"session taken over\" [MQTT-3.1.4-3]. \
              The client sees the connection end, as in 3.1.1.",
    },
    Difference {
        scenario: "the_receive_maximum_of_either_side_is_kept",
        broker: "mosquitto",
        versions: V5,
        seen: &["more messages than the receive maximum"],
        is_of_the_moment: false,
        why: "2.0.11 counts a message of QoS 2 as done at its PUBREC, not at its PUBCOMP, and so sends one more than the client \
              takes. The client ends the connection with 0x93, as the standard has it. QoS 1 avoids it, and a larger `ReceiveMaximum` \
              than messages come at once.",
    },
    Difference {
        scenario: "a_wrong_password_is_refused",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["it is let in"],
        is_of_the_moment: false,
        why: "Embedded, for this computer alone, it asks nobody for a password.",
    },
    Difference {
        scenario: "a_second_connection_of_a_client_takes_over_from_the_first",
        broker: "rmqtt",
        versions: V5,
        seen: &["no reason is given"],
        is_of_the_moment: false,
        why: "It closes the first connection without a DISCONNECT that says \"session taken over\" [MQTT-3.1.4-3]. The client sees \
              the connection end, as in 3.1.1.",
    },
    Difference {
        scenario: "of_overlapping_subscriptions_the_highest_qos_counts",
        broker: "rmqtt",
        versions: V5,
        seen: &["the highest QoS: Some(AtMostOnce)"],
        is_of_the_moment: false,
        why: "In MQTT 5 it sends the message once, with the QoS of any one of the subscriptions [MQTT-3.3.4-2].",
    },
    Difference {
        scenario: "unsubscribing_from_what_was_not_subscribed_is_told",
        broker: "rmqtt",
        versions: V5,
        seen: &["Some(ReasonCode(0)), not"],
        is_of_the_moment: false,
        why: "It answers every UNSUBSCRIBE with success.",
    },
    Difference {
        scenario: "a_shared_subscription_shares",
        broker: "rmqtt",
        versions: V5,
        seen: &["shared subscriptions not supported"],
        is_of_the_moment: false,
        why: "It is embedded without them, and says so in CONNACK: the client refuses the call, and sends nothing.",
    },
    Difference {
        scenario: "a_message_of_qos_2_arrives_once_over_a_cut_at_every_step_of_its_way_out",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["a message comes twice"],
        is_of_the_moment: false,
        why: "It does not remember over a reconnect which messages of QoS 2 it has taken [MQTT-4.1.0-1], and delivers one again whose \
              PUBREC was lost. No client can help that.",
    },
    Difference {
        scenario: "a_message_of_qos_1_survives_a_cut_at_every_step_of_its_way_in",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["nothing comes for 10s"],
        is_of_the_moment: true,
        why: LOST_AT_CONNECT,
    },
    Difference {
        scenario: "a_message_of_qos_2_comes_once_over_a_cut_at_every_step_of_its_way_in",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["nothing comes for 10s"],
        is_of_the_moment: true,
        why: LOST_AT_CONNECT,
    },
    Difference {
        scenario: "a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_out",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["the broker has forgotten the session"],
        is_of_the_moment: false,
        why: IN_MEMORY,
    },
    Difference {
        scenario: "a_message_of_qos_2_arrives_once_over_a_restart_at_every_step_of_its_way_out",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["the broker has forgotten the session"],
        is_of_the_moment: false,
        why: IN_MEMORY,
    },
    Difference {
        scenario: "a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_in",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["the broker has forgotten the session"],
        is_of_the_moment: false,
        why: IN_MEMORY,
    },
    Difference {
        scenario: "a_message_of_qos_2_comes_once_over_a_restart_at_every_step_of_its_way_in",
        broker: "rmqtt",
        versions: BOTH,
        seen: &["the broker has forgotten the session"],
        is_of_the_moment: false,
        why: IN_MEMORY,
    },
    Difference {
        scenario: "a_client_can_leave_with_its_will",
        broker: "rmqtt",
        versions: V5,
        seen: &["no message comes"],
        is_of_the_moment: false,
        why: "It publishes no will for a DISCONNECT with reason 0x04.",
    },
    Difference {
        scenario: "a_message_larger_than_the_client_takes_does_not_come",
        broker: "rmqtt",
        versions: V5,
        seen: &["the server closed the connection"],
        is_of_the_moment: false,
        why: "It ends the connection of a client for whom a message is too large, instead of throwing the message away \
              [MQTT-3.1.2-25]. Leave `MaximumPacketSize` out: the client passes over what is too large for it.",
    },
    Difference {
        scenario: "a_topic_may_have_dots_blanks_and_empty_levels",
        broker: "NATS",
        versions: V3,
        seen: &["\"a b\": the server closed the connection"],
        is_of_the_moment: false,
        why: "Its subjects have no blanks: it ends the connection of who publishes to a topic with one. Dots, empty levels, `*` and `>` it takes.",
    },
    Difference {
        scenario: "what_was_not_acknowledged_comes_again_with_dup",
        broker: "NATS",
        versions: V3,
        seen: &["no message comes"],
        is_of_the_moment: true,
        why: TAKEN_OVER,
    },
    Difference {
        scenario: "a_message_of_qos_1_survives_a_cut_at_every_step_of_its_way_in",
        broker: "NATS",
        versions: V3,
        seen: &["nothing comes for 10s"],
        is_of_the_moment: true,
        why: TAKEN_OVER,
    },
    Difference {
        scenario: "a_message_of_qos_2_comes_once_over_a_cut_at_every_step_of_its_way_in",
        broker: "NATS",
        versions: V3,
        seen: &["nothing comes for 10s"],
        is_of_the_moment: true,
        why: TAKEN_OVER,
    },
    Difference {
        scenario: "a_message_of_qos_2_arrives_once_over_a_restart_at_every_step_of_its_way_out",
        broker: "NATS",
        versions: V3,
        seen: &["a message is lost"],
        is_of_the_moment: true,
        why: "A message of QoS 2 is lost if it restarts just after its PUBREL: the repeated PUBREL gets a PUBCOMP, and nobody gets the \
              message. No client can help that.",
    },
    Difference {
        scenario: "a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_in",
        broker: "NATS",
        versions: V3,
        seen: &["nothing comes for 10s"],
        is_of_the_moment: true,
        why: AFTER_RESTART,
    },
    Difference {
        scenario: "a_message_of_qos_2_comes_once_over_a_restart_at_every_step_of_its_way_in",
        broker: "NATS",
        versions: V3,
        seen: &["nothing comes for 10s", "a message comes twice"],
        is_of_the_moment: true,
        why: TWICE_AFTER_RESTART,
    },
    Difference {
        scenario: "every_qos_is_granted",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["the granted QoS: ReasonCode(1), not ReasonCode(2)"],
        is_of_the_moment: false,
        why: "It has no QoS 2, and grants QoS 1 instead.",
    },
    Difference {
        scenario: "a_topic_may_have_dots_blanks_and_empty_levels",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["\"a.b\": the topic: "],
        is_of_the_moment: false,
        why: "A dot becomes a slash on its way through AMQP, and `*` a `+`, which no topic name may have: the client ends the connection over it.",
    },
    Difference {
        scenario: "a_wildcard_at_the_front_does_not_match_topics_that_begin_with_a_dollar_sign",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["what came: [\"dollar\"]"],
        is_of_the_moment: false,
        why: "A dollar sign means nothing to it [MQTT-4.7.2-1].",
    },
    Difference {
        scenario: "a_session_without_subscriptions_is_kept_too",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["a session: false, not true"],
        is_of_the_moment: false,
        why: "A session is a queue there, and made with the first subscription. A client that only publishes is told that there is no session, and \
              what was in flight counts as lost: subscribe to something, and it is kept.",
    },
    Difference {
        scenario: "a_message_of_qos_2_arrives_once_over_a_cut_at_every_step_of_its_way_out",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["PUBACK of a message of QoS 2"],
        is_of_the_moment: false,
        why: NO_QOS_2,
    },
    Difference {
        scenario: "a_message_of_qos_2_comes_once_over_a_cut_at_every_step_of_its_way_in",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["PUBACK of a message of QoS 2"],
        is_of_the_moment: false,
        why: NO_QOS_2,
    },
    Difference {
        scenario: "a_message_of_qos_2_arrives_once_over_a_restart_at_every_step_of_its_way_out",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["PUBACK of a message of QoS 2"],
        is_of_the_moment: false,
        why: NO_QOS_2,
    },
    Difference {
        scenario: "a_message_of_qos_2_comes_once_over_a_restart_at_every_step_of_its_way_in",
        broker: "RabbitMQ",
        versions: V3,
        seen: &["PUBACK of a message of QoS 2"],
        is_of_the_moment: false,
        why: NO_QOS_2,
    },
];

const TAKEN_OVER: &str = "A client that is back before its connection was cleared away takes over from itself; then what it had not \
     acknowledged comes, but tens of seconds later. Waiting a moment before a reconnect, as a back-off does, avoids it.";
const AFTER_RESTART: &str =
    "What was not acknowledged before it restarted comes after it, but tens of seconds later.";
const TWICE_AFTER_RESTART: &str = "What was not acknowledged before it restarted comes after it, but tens of seconds later; and what of QoS 2 the \
     client had already taken may come once more.";
const NO_QOS_2: &str = "It has no QoS 2, and answers a PUBLISH of QoS 2 by a PUBACK, which no such handshake has \
     [MQTT-4.3.3-1]: the client ends the connection, with an error that says so. Publish with QoS 1 there.";
const IN_MEMORY: &str = "Embedded, it keeps everything in memory: after a restart there is no session. The client is told so \
     (`session_present` is false), and subscribes again.";
const LOST_AT_CONNECT: &str =
    "A connection that ends before its CONNACK takes with it what was queued for the session.";
