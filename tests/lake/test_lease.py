import json
import os
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from laketag.pipeline.errors import BusyError, StorageError
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease, hold_whole_lake
from laketag.pipeline.lake.lease_holder import find_leases
from laketag.pipeline.lake.paths import Lake
from tests.stores.fault_proxy import Fault

FAST = LeaseTimes(heartbeat_s=0.1, settle_s=0, poll_s=0.05)


def write_holder(lake: Lake, **changes: object) -> Path:
    """The lease "x" is held by a process on another machine, or by what the changes name."""
    file = Path(lake.path("staging", "leases", "x.json"))
    file.parent.mkdir(parents=True, exist_ok=True)
    holder = {"writer": "w", "host": "elsewhere", "namespace": "n", "pid": 1, "beat": "then"} | changes
    file.write_text(json.dumps(holder))
    return file


def write_dead_holder(lake: Lake) -> Path:
    """The lease "x" is held by a process that ran on this machine and has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    with hold_lease(lake, "x") as held:
        here = json.loads(Path(held.url).read_text())
    return write_holder(lake, **here | {"writer": "dead", "pid": child.pid})


def test_a_released_lease_can_be_held_again(lake) -> None:
    for _ in range(2):
        with hold_lease(lake, "x") as held:
            held.check()
    assert not Path(held.url).exists()


def test_the_error_of_the_work_comes_out_even_if_the_release_fails(lake) -> None:
    def work() -> None:
        with hold_lease(lake, "x") as held:
            Path(held.url).write_text("no JSON")
            raise ValueError("the work")

    with pytest.raises(ValueError, match="the work"):
        work()


def test_a_holder_that_is_alive_keeps_the_lease(lake) -> None:
    with (
        hold_lease(lake, "x", times=FAST) as held,
        pytest.raises(BusyError, match=f"process {os.getpid()} on .* works on the same"),
        hold_lease(lake, "x", times=FAST),
    ):
        pass
    assert not held.lost.is_set()


def test_a_process_that_waits_holds_the_lease_once_its_holder_is_done(lake) -> None:
    with ExitStack() as holder:
        holder.enter_context(hold_lease(lake, "x", times=FAST))
        said: list[str] = []

        def show(sentence: str) -> None:
            said.append(sentence)
            if "waiting up to 1 min" in sentence:
                holder.close()

        with hold_lease(lake, "x", show, replace(FAST, wait_s=60.0)) as held:
            held.check()
    assert len(said) == 2


def test_different_names_do_not_disturb_each_other(lake) -> None:
    with hold_lease(lake, "x") as one, hold_lease(lake, "y") as other:
        one.check()
        other.check()


def test_whoever_holds_the_whole_lake_is_alone(lake) -> None:
    with (
        hold_lease(lake, "x", times=FAST) as held,
        pytest.raises(BusyError, match="works on the same"),
        hold_whole_lake(lake, times=FAST),
    ):
        pass
    with (
        hold_whole_lake(lake, times=FAST) as whole,
        pytest.raises(BusyError, match="rewrites tables of this lake"),
        hold_lease(lake, "x", times=FAST),
    ):
        pass
    assert not held.lost.is_set()
    assert not whole.lost.is_set()
    file = write_dead_holder(lake)
    with hold_whole_lake(lake, times=FAST), pytest.raises(BusyError), hold_lease(lake, "x", times=FAST):
        pass
    assert not file.exists()


def test_a_holder_that_died_on_this_machine_is_replaced_without_watching_it(lake) -> None:
    write_dead_holder(lake)
    shown: list[str] = []
    with hold_lease(lake, "x", shown.append, FAST) as held:
        held.check()
    assert shown == []


def test_a_holder_elsewhere_is_replaced_when_its_lease_has_expired(lake) -> None:
    write_holder(lake)
    shown: list[str] = []
    with hold_lease(lake, "x", shown.append, replace(FAST, expires_after_s=0.5)) as held:
        held.check()
    assert len(shown) == 1
    assert "process 1 on elsewhere" in shown[0]


def test_a_holder_whose_lease_was_taken_over_may_not_publish(lake) -> None:
    with hold_lease(lake, "x") as held:
        file = write_holder(lake, writer="another")
        with pytest.raises(BusyError, match="taken over by another process"):
            held.check()
        held.beat()
        assert held.lost.is_set()
    assert json.loads(file.read_text())["writer"] == "another", "a holder releases only its own lease"


def test_of_two_that_take_over_together_only_the_last_holds_the_lease(lake) -> None:
    file = write_dead_holder(lake)

    def overtake() -> None:
        while json.loads(file.read_text())["writer"] == "dead":
            pass
        write_holder(lake, writer="rival")

    rival = threading.Thread(target=overtake)
    rival.start()
    with (
        pytest.raises(BusyError, match="process 1 on elsewhere works on the same"),
        hold_lease(lake, "x", times=LeaseTimes(settle_s=2)),
    ):
        pass
    rival.join()
    assert json.loads(file.read_text())["writer"] == "rival"


def test_a_lease_is_dead_an_hour_after_the_last_heartbeat_of_others_whatever_clocks_tell(lake) -> None:
    file = write_holder(lake, beat="20010101T000000.000000Z")
    with hold_lease(lake, "y"):
        assert find_leases(lake) == {"x": True, "y": True}
        hours_ago = file.stat().st_mtime - 2 * 3600
        os.utime(file, (hours_ago, hours_ago))
        assert find_leases(lake) == {"x": False, "y": True}


def test_a_store_that_is_away_loses_no_lease(moto, moto_faults) -> None:
    away = Lake(moto.url("lake"), moto.through(moto_faults.url).storage)
    with hold_lease(away, "x", times=LeaseTimes(heartbeat_s=3600)) as held:
        outage = moto_faults.add(Fault("status", status=400, code="ExpiredToken"))
        with pytest.raises(StorageError):
            held.beat()
        assert not held.lost.is_set()
        outage.times = 0
        held.check()
        held.beat()
        outage.times = None  # what the work has done does not fail because its lease stays behind


def test_a_lease_that_is_no_json_is_named_with_the_fix(lake) -> None:
    file = write_holder(lake)
    file.write_bytes(b"")
    with pytest.raises(StorageError, match=r"is no JSON .* remove it"), hold_lease(lake, "x"):
        pass
