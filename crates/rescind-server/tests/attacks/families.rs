//! One test a family, and what they must cover together. Owns the list of the families; their cases are text.

use crate::run::family;
use crate::vector::{Family, families};

/// Rows of docs/incidents.md that a single server cannot show from outside, or that a test elsewhere shows better.
const ELSEWHERE: [(&str, &str); 16] = [
    ("R15", "handle/races.rs::whatever_a_refresh_mints_beside_a_revocation_is_dead"),
    ("R16", "handle/races.rs::a_login_whose_row_is_written_before_the_cut_off_dies_and_one_after_it_lives"),
    ("R17", "tests/logout.rs::signing_in_right_after_logging_out_everywhere_lives"),
    ("R18", "handle/logout.rs::a_token_within_its_leeway_after_the_absolute_end_is_still_taken_back"),
    ("R19", "tests/view_layers.rs::layers_agree_with_a_map"),
    ("R20", "tests/refresh.rs::a_retry_within_grace_returns_the_identical_refresh_token"),
    ("R22", "tests/store_down.rs::what_the_store_cannot_take_is_503_and_is_not_done"),
    ("R23", "config/tests.rs::production_refuses_what_is_for_trying_out"),
    ("R24", "redis/refused.rs::an_instance_that_can_forget_is_refused_with_the_remedy"),
    ("R25", "operator/admin_users.rs::a_disabled_user_is_out_at_once_and_an_enabled_one_starts_anew"),
    ("R26", "operator/admin_users.rs::a_new_password_ends_the_sessions_of_the_old_one"),
    ("R30", "sqlite/medium.rs::a_full_disk_refuses_writes_until_there_is_room"),
    ("R32", "operator/cli_revoke_file.rs::a_file_of_ids_is_revoked_and_counted"),
    ("R33", "sqlite/crash.rs::nothing_acknowledged_is_lost_by_kill_9_under_load"),
    ("R34", "handle/freshness.rs::a_store_that_is_back_with_its_history_is_gone_on_with"),
    ("R37", "handle/round.rs::the_whole_round_works_with_every_algorithm"),
];

// holds: R3, R4, R10
#[test]
fn only_the_keys_own_algorithm_verifies() {
    family("algorithms");
}

// holds: R5, R6, R28, R29
#[test]
fn no_key_comes_out_of_a_token_and_no_name_of_one_is_more_than_compared() {
    family("header_keys");
}

// holds: R27
#[test]
fn each_place_takes_its_own_kind_of_token() {
    family("kinds");
}

// holds: R1, R8, R13
#[test]
fn a_token_in_another_writing_is_no_token_or_as_revoked_as_it_was() {
    family("malleability");
}

#[test]
fn two_readers_of_one_stream_see_the_same_requests() {
    family("smuggling");
}

// holds: R27
#[test]
fn each_request_on_a_connection_stands_alone() {
    family("pipeline");
}

#[test]
fn a_cookie_does_nothing_at_the_word_of_another_site() {
    family("cross_site");
}

#[test]
fn a_browser_is_sent_nowhere_else() {
    family("redirects");
}

// holds: R14, R21, R31
#[test]
fn a_refresh_token_is_minted_by_us_and_presented_by_its_client() {
    family("refresh");
}

#[test]
fn a_parameter_counts_once_and_for_what_it_is() {
    family("parameters");
}

// holds: R36
#[test]
fn a_name_or_a_password_that_is_almost_right_is_wrong() {
    family("sign_in");
}

#[test]
fn a_path_is_what_it_says_and_a_host_is_nobody() {
    family("paths");
}

#[test]
fn the_admin_api_takes_a_strangers_words_for_names_or_not_at_all() {
    family("admin");
}

// holds: R9
#[test]
fn one_byte_too_many_is_too_many() {
    family("sizes");
}

// holds: R2, R11, R12, R35
#[test]
fn a_claim_that_is_wrong_is_refused_however_well_it_is_signed() {
    family("claims");
}

#[test]
fn every_family_is_run_and_there_are_three_hundred_cases_at_least() {
    let names = families();
    for name in &names {
        let run = format!("family(\"{name}\");");
        assert!(include_str!("families.rs").contains(&run), "no test runs {name}");
    }
    let count: usize = names.iter().map(|name| Family::load(name).cases.len()).sum();
    println!("{count} cases in {} families", names.len());
    assert!(count >= 300, "{count} cases");
}

#[test]
fn every_incident_is_a_case_here_or_a_test_elsewhere() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/incidents.md")).unwrap();
    let cases: Vec<_> = families().iter().flat_map(|name| Family::load(name).cases).collect();
    let cited = |row: &str| {
        let words = |source: &str| source.split([' ', ',', ';']).any(|word| word == row);
        cases.iter().any(|case| words(&case.source))
    };
    for row in (1..=37).map(|number| format!("R{number}")) {
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == row).map(|(_, test)| *test);
        match (cited(&row), elsewhere) {
            (true, None) => {}
            (true, Some(_)) => panic!("{row} has cases here; take it out of the list"),
            (false, None) => panic!("{row} has neither a case here nor a test elsewhere"),
            (false, Some(test)) => {
                let line = document.lines().find(|line| line.starts_with(&format!("| {row} "))).unwrap();
                assert!(line.contains(&format!("/{test}`")), "docs/incidents.md does not name {test} for {row}");
            }
        }
    }
}
