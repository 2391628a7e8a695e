//! Every interleaving of the view's writer with a reader, scene by scene.

use rescind_loom::{Order, fresh_is_complete, replaced_at_once};

#[test]
fn whoever_finds_an_empty_view_fresh_finds_its_first_cut_off() {
    fresh_is_complete(0, 1, Order::MarkFirst);
}

#[test]
fn a_cut_off_beside_others_is_there_before_the_view_is_fresh_again() {
    fresh_is_complete(1, 2, Order::MarkFirst);
}

#[test]
fn a_segment_that_grows_loses_nothing_for_a_moment() {
    // Six fit; the seventh makes the segment grow.
    fresh_is_complete(6, 1, Order::MarkFirst);
}

#[test]
fn a_view_that_is_loaded_again_is_the_old_one_or_the_new_one() {
    replaced_at_once();
}

#[test]
#[should_panic(expected = "is missing")]
fn tables_that_are_read_before_the_mark_are_found_out() {
    fresh_is_complete(1, 1, Order::TablesFirst);
}
