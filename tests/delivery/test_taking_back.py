"""A published day is taken back, and nothing of it is found any more."""

from __future__ import annotations

from datetime import date

import pytest
from upath import UPath

from reclustering.__main__ import main
from reclustering.labels.history import previous_run, published_run
from reclustering.mail import SmtpMailer
from reclustering.taking_back import take_back
from reclustering.warehouse.schema import create_own_objects
from tests.stores import Store, make_run, publish, write_labels_file
from tests.world import AS_OF, MARKETING, NEXT, NOW, people

DAY_3 = NEXT.replace(day=3)


@pytest.fixture
def mailed(world, script):
    """Two days that were built and mailed, the second with a wrong list."""
    for run, n in ((world.run(), 100), (world.run(NEXT, "scheduled__2"), 40)):
        world.publish(people(n), run)
        world.build(run)
        world.decide(run)
        world.email(run, SmtpMailer())
    return world


def test_the_day_after_is_compared_with_the_day_before(
    mailed, monkeypatch, capsys, airflow_database
):
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", (mailed.folder / "artifacts").as_uri())
    assert main(["take-back", NEXT.isoformat()]) == 0
    said = capsys.readouterr().out
    assert "Took back 2024-01-02: 40 labels of 1 published run, and the folder " in said
    assert "Its 1 mails stay in the ledger" in said
    assert not mailed.run(NEXT, "x").path("y").parent.parent.exists()
    assert mailed.run().path("target_list.csv").exists()
    run = mailed.publish(people(101), mailed.run(DAY_3, "scheduled__3"))
    assert mailed.build(run)["previous"]["as_of"] == AS_OF.isoformat()


def test_a_new_list_of_the_day_is_a_correction_of_what_was_mailed(mailed, script):
    take_back(mailed.warehouse, UPath(mailed.folder / "artifacts"), NEXT, now=NOW)
    again = mailed.publish(people(101), mailed.run(NEXT, "manual__2"))
    assert mailed.build(again)["findings"] == []
    mailed.email(again, SmtpMailer())
    assert "corrected target list of 2 January 2024" in script.inbox(MARKETING)[-1]["Subject"]


def test_taking_back_twice_or_what_never_was_does_no_harm(mailed):
    artifacts = UPath(mailed.folder / "artifacts")
    for day in (NEXT, NEXT, date(1999, 1, 1)):
        done = take_back(mailed.warehouse, artifacts, day, now=NOW)
    assert done == {"labels": 0, "runs": 0, "mails": 0, "folder": None}
    assert mailed.run().path("target_list.csv").exists()


def test_a_link_in_place_of_the_folder_is_left_alone(mailed, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = mailed.folder / "artifacts" / "as_of=2020-01-01"
    link.symlink_to(tmp_path / "elsewhere")
    assert (
        take_back(mailed.warehouse, UPath(link.parent), date(2020, 1, 1), now=NOW)["folder"] is None
    )
    assert (tmp_path / "elsewhere").exists()


def test_no_word_but_a_day_is_taken(capsys):
    with pytest.raises(SystemExit):
        main(["take-back", "yesterday"])
    assert "invalid fromisoformat value: 'yesterday'" in capsys.readouterr().err


def test_both_warehouses_forget_the_day(store: Store, tmp_path):
    create_own_objects(store.hook())
    labels = write_labels_file(tmp_path / "labels.parquet", 3)
    for day in (AS_OF, NEXT):
        publish(store.hook(), labels, day)
    done = take_back(store.hook(), UPath(tmp_path), NEXT, now=NOW)
    assert (done["labels"], done["runs"]) == (3, 1)
    assert published_run(store.hook(), make_run(NEXT)) is None
    assert previous_run(store.hook(), make_run(DAY_3))["as_of"] == AS_OF.isoformat()
    assert len(store.published(AS_OF)) == 3
