import json
import multiprocessing
import os
from pathlib import Path

import pytest

import laketag.pipeline.lake.lease as lease_module
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import BusyError, StorageError
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import open_lake


@pytest.fixture
def lake(tmp_path):
    return open_lake(str(tmp_path), StorageSettings())


def write_holder(lake, name: str, **changes: object) -> Path:
    file = Path(lake.path("staging", "leases", f"{name}.json"))
    file.parent.mkdir(parents=True, exist_ok=True)
    holder = {"writer": "w", "host": "elsewhere", "namespace": "n", "pid": 1, "beat": "then"} | changes
    file.write_text(json.dumps(holder))
    return file


def test_a_released_lease_can_be_held_again(lake) -> None:
    for _ in range(2):
        with hold_lease(lake, "x") as held:
            held.check()
    assert not Path(held.url).exists()


def test_a_holder_that_beats_is_left_alone(lake, monkeypatch) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.1)
    with (
        hold_lease(lake, "x"),
        pytest.raises(BusyError, match=f"process {os.getpid()} on .* works on the same"),
        hold_lease(lake, "x"),
    ):
        pass


def test_different_names_do_not_disturb_each_other(lake) -> None:
    with hold_lease(lake, "x") as one, hold_lease(lake, "y") as other:
        one.check()
        other.check()


def test_a_holder_that_died_on_this_machine_is_replaced_at_once(lake) -> None:
    child = multiprocessing.get_context("spawn").Process(target=print)
    child.start()
    child.join()
    here = json.loads(lease_module._content("dead"))
    write_holder(lake, "x", host=here["host"], namespace=here["namespace"], pid=child.pid)
    with hold_lease(lake, "x") as held:
        held.check()


def test_a_holder_elsewhere_that_stands_still_is_replaced_when_its_time_is_over(lake, monkeypatch) -> None:
    monkeypatch.setattr(lease_module, "LEASE_S", 1.5)
    write_holder(lake, "x")
    said: list[str] = []
    with hold_lease(lake, "x", said.append) as held:
        held.check()
    assert len(said) == 1
    assert "process 1 on elsewhere" in said[0]


def test_a_holder_whose_lease_was_taken_over_may_not_publish(lake) -> None:
    with hold_lease(lake, "x") as held:
        file = write_holder(lake, "x", writer="another")
        with pytest.raises(BusyError, match="taken over by another process"):
            held.check()
        held.beat()
        assert held.lost.is_set()
    assert json.loads(file.read_text())["writer"] == "another"  # and it does not release what is not its own


def test_of_two_that_take_over_at_once_one_holds_the_lease(lake, monkeypatch) -> None:
    """The other removes the winner's lease, as it still holds it for the dead one's, and puts its own there."""
    monkeypatch.setattr(lease_module, "SETTLE_S", 0.2)
    monkeypatch.setattr(lease_module, "LEASE_S", 5.0)
    here = json.loads(lease_module._content("dead"))
    file = write_holder(lake, "x", host=here["host"], namespace=here["namespace"], pid=2**22 + 1)

    def settle(_seconds: float) -> None:
        if json.loads(file.read_text())["writer"] != "rival":
            write_holder(
                lake, "x", writer="rival", host=here["host"], namespace=here["namespace"], pid=os.getpid()
            )
        else:
            write_holder(lake, "x", writer="rival", beat="later")

    monkeypatch.setattr(lease_module.time, "sleep", settle)
    with pytest.raises(BusyError, match="works on the same collection"), hold_lease(lake, "x"):
        pass
    assert json.loads(file.read_text())["writer"] == "rival"


def test_a_lease_that_is_no_json_is_named_with_the_fix(lake) -> None:
    file = write_holder(lake, "x")
    file.write_bytes(b"")
    with pytest.raises(StorageError, match=r"is no JSON .* remove it"), hold_lease(lake, "x"):
        pass
