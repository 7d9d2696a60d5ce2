"""Transfers in the store: each output has one row in the catalogue, whatever comes between."""

from dataclasses import replace

from router.model.files import Located, Replica
from router.model.transfer import Transfer, TransferState
from router.store.store import Store
from router.testing.build import a_file, a_transfer
from router.testing.clock import NOON

THERE = Replica("SITE_B_DISK", "SITE_B", "file:///se/SITE_B/user/alice/zmumu-1/hist_0000.root")


def handed_over(store: Store, transfer: Transfer | None = None) -> Transfer:
    """An output that lies at its source, and whose copy is begun."""
    wanted = transfer or a_transfer()
    store.hand_over([wanted], NOON)
    store.register([at_source(wanted)], "alice", NOON)
    [begun] = store.begin_transfers(store.transfers_due(NOON, 10), NOON)
    return begun


def at_source(transfer: Transfer) -> Located:
    return Located(transfer.file, a_file(transfer.file.lfn, "SITE_A").replicas)


def copies(store: Store, transfer: Transfer) -> list[str]:
    return [replica.se for found in store.files([transfer.file.lfn]) for replica in found.replicas]


def test_nothing_moves_before_the_catalogue_has_it(store):
    store.hand_over([a_transfer()], NOON)
    assert store.transfers_due(NOON, 10) == ()
    store.register([at_source(a_transfer())], "alice", NOON)
    assert [each.file for each in store.transfers_due(NOON, 10)] == [a_transfer().file]


def test_an_output_that_arrived_is_in_the_catalogue_once(store):
    begun = handed_over(store)
    [arrived] = store.settle_transfers([(begun, THERE)], [], NOON)
    assert copies(store, begun) == ["SITE_B_DISK"]
    assert [each.file for each in store.transfers_arrived(10)] == [arrived.file]
    store.clear_transfers([arrived], NOON)
    assert (store.transfers_arrived(10), store.transfers_due(NOON, 10)) == ((), ())


def test_settling_twice_is_settling_once(store):
    begun = handed_over(store)
    store.settle_transfers([(begun, THERE)], [], NOON)
    assert store.settle_transfers([(begun, THERE)], [], NOON) == ()
    assert copies(store, begun) == ["SITE_B_DISK"]


def test_a_report_that_is_read_again_changes_nothing(store):
    begun = handed_over(store)
    assert store.hand_over([a_transfer()], NOON) == frozenset()
    [arrived] = store.settle_transfers([(begun, THERE)], [], NOON)
    assert store.hand_over([a_transfer()], NOON) == {begun.file.lfn}
    assert [each.file for each in store.transfers_arrived(10)] == [arrived.file]


def test_what_is_told_of_an_output_that_was_made_again_meanwhile_is_not_believed(store):
    begun = handed_over(store)
    store.remove_replica(begun.file.lfn, "SITE_A_DISK")
    again = a_transfer(adler32="00c0ffee")
    store.hand_over([again], NOON)
    store.register([at_source(again)], "alice", NOON)
    assert store.settle_transfers([(begun, THERE)], [], NOON) == ()
    assert copies(store, begun) == ["SITE_A_DISK"]
    assert [each.file.adler32 for each in store.transfers_due(NOON, 10)] == ["00c0ffee"]


def test_an_output_whose_copy_at_the_destination_was_lost_is_moved_again(store):
    begun = handed_over(store)
    [arrived] = store.settle_transfers([(begun, THERE)], [], NOON)
    store.clear_transfers([arrived], NOON)
    store.remove_replica(begun.file.lfn, "SITE_B_DISK")
    assert store.hand_over([a_transfer()], NOON) == frozenset()
    store.register([at_source(begun)], "alice", NOON)
    assert len(store.transfers_due(NOON, 10)) == 1


def test_a_failed_copy_waits_and_counts_against_its_destination_until_one_arrives(store):
    begun = handed_over(store)
    late = replace(begun, tries=1, due=NOON + 60, cause="quota", words="full")
    store.settle_transfers([], [late], NOON)
    assert store.transfers_due(NOON + 59, 10) == ()
    assert store.destinations()["SITE_B_DISK"].streak == 1
    [again] = store.begin_transfers(store.transfers_due(NOON + 60, 10), NOON + 60)
    assert (again.tries, again.epoch) == (1, 2)
    store.settle_transfers([(again, THERE)], [], NOON)
    assert store.destinations()["SITE_B_DISK"].streak == 0


def test_a_missing_source_is_not_held_against_the_destination(store):
    begun = handed_over(store)
    store.settle_transfers([], [replace(begun, cause="source-missing", words="gone", tries=1)], NOON)
    assert store.destinations() == {}


def test_what_failed_for_good_is_counted_with_its_cause_and_tried_again_when_asked(store):
    begun = handed_over(store)
    store.settle_transfers([], [replace(begun, state=TransferState.FAILED, cause="quota", words="full")], NOON)
    [count] = store.transfer_counts("zmumu-1")
    assert (count.state, count.cause, count.outputs) == (TransferState.FAILED, "quota", 1)
    assert store.transferring_jobs("zmumu-1") == 0
    assert store.retry_transfers("zmumu-1", NOON) == 1
    assert store.transferring_jobs("zmumu-1") == 1
    assert len(store.transfers_due(NOON, 10)) == 1
