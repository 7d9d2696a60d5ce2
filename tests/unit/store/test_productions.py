"""Which job made which file, and what the ledger knows of single jobs."""

from dataclasses import replace

from router.model.provenance import Maker
from router.testing.build import a_batch, a_file, a_task, an_ended_job
from router.testing.clock import NOON, FakeClock

FIRST, AGAIN = Maker("zmumu-1", "0000", 1, 0), Maker("zmumu-1", "0000", 7, 3)
OUTPUT = a_file("/user/alice/zmumu-1/hist_0000.root", "SITE_A")


def as_alice(store):
    return store.as_user("alice", FakeClock())


def made(store, maker=FIRST, output=OUTPUT):
    store.register([output], "alice", NOON, maker)
    return as_alice(store).traced([output.file.lfn])[output.file.lfn]


def test_a_file_tells_the_job_that_made_it_the_last_one_where_it_was_made_again_alike(store):
    assert made(store).maker == FIRST
    assert made(store, AGAIN).maker == AGAIN
    assert as_alice(store).stat(OUTPUT.file.lfn).guid == made(store).guid


def test_another_file_of_the_same_name_has_another_maker(store):
    first = made(store)
    as_alice(store).remove([OUTPUT.file.lfn])
    gone = as_alice(store).traced([OUTPUT.file.lfn])[OUTPUT.file.lfn]
    assert (gone.removed, gone.guid, gone.maker) == (True, first.guid, FIRST)
    other = made(store, AGAIN, a_file(OUTPUT.file.lfn, "SITE_A", adler32="00000001"))
    assert (other.removed, other.maker) == (False, AGAIN) and other.guid != first.guid
    assert store.made_in("zmumu-1") == {OUTPUT.file.lfn: AGAIN}


def test_a_file_that_is_restored_has_its_maker_again(store):
    made(store)
    alice = as_alice(store)
    alice.remove([OUTPUT.file.lfn])
    alice.restore(OUTPUT.file.lfn)
    found = alice.traced([OUTPUT.file.lfn])[OUTPUT.file.lfn]
    assert (found.removed, found.maker) == (False, FIRST)


def test_what_is_registered_by_hand_has_no_maker(store):
    as_alice(store).register([OUTPUT])
    assert as_alice(store).traced([OUTPUT.file.lfn, "/user/alice/none"])[OUTPUT.file.lfn].maker is None


def test_files_of_a_link_are_told_by_the_name_that_was_asked(store):
    made(store)
    alice = as_alice(store)
    alice.link(OUTPUT.file.lfn, "/user/alice/paper.root")
    assert alice.traced(["/user/alice/paper.root"])["/user/alice/paper.root"].file.lfn == OUTPUT.file.lfn


def test_a_job_is_looked_up_by_its_id_and_believed_to_be_of_its_task_only(store):
    ended = an_ended_job(cluster=1, proc=0, job="0000")
    store.record_ended([ended])
    other = replace(FIRST, proc=1)
    assert store.jobs_ended([FIRST, other]) == {(1, 0): ended}
    assert store.jobs_ended([replace(FIRST, task="z-2")]) == {} == store.jobs_ended([])
    assert store.job_ended(1, 0) == ended
    assert (store.job_ended(1, 1), store.job_ended(2**31 - 1, 0)) == (None, None)


def test_a_cluster_leads_to_its_batch_and_a_task_to_its_digests(store):
    store.open_task(a_task(), "name: z\nexecutable: a\n", "d" * 64, [a_batch(files=[a_file("/demo/f", "SITE_A")])], 0)
    store.set_cluster("zmumu-1", "b0", 12)
    batch = store.batch_of(12)
    assert (batch.task, batch.key, batch.jobs, store.batch_of(13)) == ("zmumu-1", "b0", 1, None)
    assert store.digests("zmumu-1") == ("d" * 64, "")
    store.note_program("zmumu-1", "e" * 64)
    assert (store.digests("zmumu-1"), store.digests("z-2")) == (("d" * 64, "e" * 64), ("", ""))
    assert store.batch_reads("zmumu-1", "b0") == ["/demo/f"]


def test_reports_that_are_not_read_are_counted_of_the_owners_jobs_alone(store):
    store.open_task(a_task(), "name: z\nexecutable: a\n", "d", [a_batch()], 0)
    mine = [an_ended_job(proc=number, job=f"{number:04d}") for number in range(3)]
    store.record_ended([*mine, an_ended_job(cluster=5, owner="mallory")])
    store.set_report(mine[0], usable=True)
    store.set_report(mine[1], usable=False)
    assert store.unread("zmumu-1") == 1
