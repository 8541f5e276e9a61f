//! The one list of all scenarios, and that of all boards.

use crate::desk::Desk;
use crate::device::Board;
use crate::virt::Virt;
use crate::world::World;

/// All boards that can be had without hardware.
pub const BOARDS: [&dyn Board; 2] = [&Desk, &Virt];

/// A scenario: what somebody may rely on, and how it is shown.
pub struct Scenario {
    /// Its name, a sentence in snake case.
    pub name: &'static str,
    /// The file it is in.
    pub file: &'static str,
    run: fn(&World<'_>),
}

impl Scenario {
    /// Plays it with devices of this board. Fails by a panic that says what was expected and what was seen.
    pub fn run(&self, board: &dyn Board) {
        (self.run)(&World::new(board));
    }
}

/// The scenario of this name.
///
/// # Panics
///
/// When there is none.
pub fn scenario(name: &str) -> &'static Scenario {
    TABLE
        .iter()
        .find(|scenario| scenario.name == name)
        .unwrap_or_else(|| panic!("there is no scenario `{name}`"))
}

macro_rules! table {
    ($($file:ident: $($name:ident),+;)+) => {
        /// All scenarios for every board.
        pub const TABLE: &[Scenario] = &[
            $($(Scenario {
                name: stringify!($name),
                file: stringify!($file),
                run: crate::scenario::$file::$name,
            },)+)+
        ];
    };
}

table! {
    classic:
        the_first_heartbeat_comes_at_once_and_then_one_every_five_seconds,
        every_word_is_answered_at_every_quality_of_service,
        what_is_no_word_gets_no_answer_and_is_counted,
        ten_megabytes_are_passed_over_on_the_same_connection,
        a_change_is_reported_on_both_pairs,
        a_retained_word_is_ignored_and_counted,
        a_retained_word_is_obeyed_when_the_settings_say_so;
    dialogue:
        the_recorded_dialogue_of_the_original_is_repeated;
    structured:
        it_is_online_until_its_power_is_cut,
        the_state_of_the_switch_is_retained,
        every_word_for_the_switch_is_obeyed,
        a_pulse_out_of_range_changes_nothing,
        a_command_with_an_id_is_executed_once_and_answered_every_time,
        a_bad_command_is_answered_with_its_error,
        a_command_too_long_is_acknowledged_and_passed_over,
        the_climate_is_published_and_can_be_asked_for,
        the_diagnostics_have_the_keys_of_the_contract,
        identify_is_answered,
        restart_says_offline_and_comes_back_with_its_reason,
        a_group_commands_all_its_devices,
        a_retained_command_is_ignored_and_counted;
    settings:
        a_default_device_asks_for_exactly_the_contract,
        without_the_structured_tree_only_the_pair_is_left,
        topics_answers_and_client_id_are_settings,
        an_inverted_switch_says_the_same,
        a_heartbeat_may_be_faster,
        the_broker_gets_the_log_at_the_level_it_is_set_to,
        a_server_of_syslog_gets_the_log;
    home_assistant:
        home_assistant_is_told_what_the_device_is,
        home_assistant_is_told_everything_again_when_it_comes_back,
        home_assistant_forgets_the_device_when_it_is_switched_off;
    outages:
        it_is_online_within_two_seconds_of_a_killed_brokers_return,
        it_comes_back_from_a_broker_that_was_held_past_the_keep_alive,
        it_gets_in_once_the_password_is_right,
        a_cut_in_the_middle_of_any_packet_is_survived,
        a_half_open_network_is_noticed_by_the_keep_alive,
        a_refused_connection_is_tried_again_until_there_is_a_broker,
        it_is_back_after_its_cable_was_pulled_and_put_back,
        a_name_that_appears_later_is_found,
        bytes_that_trickle_are_still_packets,
        the_counter_neither_restarts_nor_advances_while_away;
    once:
        a_repeated_id_is_not_executed_again_after_a_power_cut,
        sixteen_ids_are_remembered_over_a_power_cut,
        a_message_delivered_twice_is_executed_once,
        the_state_of_the_switch_is_restored_when_the_settings_say_so;
    kept:
        what_is_not_acknowledged_before_a_restart_comes_again_after_it,
        a_command_waits_for_a_device_without_power_and_is_executed_once,
        a_command_that_comes_during_a_restart_is_executed_once;
    version5:
        the_dialogue_in_mqtt_5_is_the_same,
        a_response_topic_is_answered_with_its_correlation_data;
    wrong_input:
        every_refusal_is_tried_again,
        nonsense_instead_of_a_connack_is_survived,
        a_broker_that_never_answers_is_left,
        packets_against_the_standard_end_the_connection,
        odd_packets_within_the_standard_are_borne,
        a_topic_of_65535_bytes_is_passed_over,
        a_packet_cut_anywhere_is_not_obeyed,
        a_refused_subscription_does_not_leave_it_deaf;
}
