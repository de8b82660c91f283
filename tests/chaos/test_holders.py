"""Two commands that label the same images: one is refused, and one that slept while it was replaced publishes nothing."""

import json
import multiprocessing
import signal
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.store.folders import list_files
from tests.chaos.test_killed import start_labelling
from tests.end_to_end.command_line import must_run, one_line, run_laketag, wait_until
from tests.end_to_end.held import hold_back
from tests.end_to_end.lakes import MANY, assert_same, label, table
from tests.process_tree import below
from tests.stores.store import Store

pytestmark = pytest.mark.chaos


def declare_dead(store: Store, lake: str) -> None:
    """The lease names a process of this machine that has ended, as if its holder had."""
    child = multiprocessing.get_context("spawn").Process(target=print)
    child.start()
    child.join()
    (url,) = list_files(f"{lake}/staging/leases", store.storage, suffix=".json")
    key = url.removeprefix(f"{store.root}/")
    holder = json.loads(store.get(key))
    store.put(key, json.dumps(holder | {"pid": child.pid}).encode())


@pytest.mark.usefixtures("joined_ray")
def test_a_second_command_is_refused_and_a_holder_that_slept_while_it_was_replaced_publishes_nothing(
    moto: Store, small_blocks: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
    with hold_back(moto, described) as held:
        command = (*label(held.lake), "--settings", str(small_blocks), *moto.options)
        sleeper = start_labelling(held, small_blocks)
        refused = run_laketag(*command, env=moto.env)
        assert refused.code == 5
        assert f"process {sleeper.process.pid} on" in one_line(refused.err)

        asleep = [process for process in below(sleeper.process.pid) if process.title]
        sleeper.process.send_signal(signal.SIGSTOP)
        declare_dead(moto, held.lake)
        assert f"labelled {MANY}" in one_line(must_run(*command, env=moto.env))
        assert asleep
        sleeper.process.send_signal(signal.SIGCONT)
        held.let_go()
        assert sleeper.wait() == 5, sleeper.text
    assert "taken over by another process" in one_line(sleeper.text)
    assert_same(undisturbed, table(moto, held.lake))
    assert "nothing to do" in must_run(*command, env=moto.env)
    wait_until(lambda: not [one for one in asleep if one.title], "what the sleeper had started has ended")
