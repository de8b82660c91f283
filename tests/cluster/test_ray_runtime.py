"""What a command on Ray shows and imports, and what is left of one Ray in the next of the same process."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from laketag.pipeline.cluster.ray_runtime import keep_ray, ray_runtime
from tests.cluster.current_folder import assert_of_laketag_alone, run_as_by_uv, write_shadows
from tests.end_to_end.command_line import PROJECT, Following, command_env, wait_until
from tests.end_to_end.lakes import index_named, label, many_images, put_all, put_described
from tests.process_tree import below
from tests.stores.store import Store

LAKETAG = str(Path(sys.executable).with_name("laketag"))
"""As installed: ``python -c`` would import from the current folder itself."""
NOWHERE = {"HOME": "/dev/null", "http_proxy": "http://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9"}
"""No home folder, and proxies that do not answer."""
BESIDE_PROXIES = {"no_proxy": "localhost"}
"""The store is reached by this name; Ray's processes are reached by addresses."""


@pytest.mark.cluster
def test_a_run_on_a_ray_of_its_own_imports_nothing_from_the_current_folder_and_prints_nothing_of_ray(
    moto: Store, tmp_path: Path, tiny_settings: Path, described: Path
) -> None:
    """Only the environment names its store in S3. tests/test_laketag.py has the same of a Ray that runs."""
    assert moto.storage.endpoint_url
    store = moto.through(moto.storage.endpoint_url.replace("127.0.0.1", "localhost"))
    images = many_images(3)
    put_all(store, images)
    index_named(store, store.url("lake"), images)
    put_described(store, store.url("lake"), described)
    folder = tmp_path / "person"
    write_shadows(folder)
    command = (LAKETAG, *label(store.url("lake")), "--settings", str(tiny_settings))
    assert_of_laketag_alone(run_as_by_uv(command, folder, NOWHERE | BESIDE_PROXIES | store.env))


@pytest.mark.cluster
@pytest.mark.usefixtures("without_ray")
def test_a_forgotten_handle_of_an_earlier_ray_releases_no_actor() -> None:
    """Ray 2.60 numbers actors alike in each of a process's Rays, and a handle releases its number wherever it ends."""

    @ray.remote
    class Counter:
        def count(self) -> int:
            return 1

    with ray_runtime(logical_cpus=2):
        cycle: list[object] = [Counter.remote()]
        cycle.append(cycle)
        del cycle
    with ray_runtime(logical_cpus=2):
        counter = Counter.remote()
        gc.collect()
        assert ray.get(counter.count.remote()) == 1


@pytest.mark.cluster
@pytest.mark.usefixtures("without_ray")
def test_one_ray_serves_all_work_inside_keep_ray_and_leaves_the_handler_of_sigterm_when_it_ends(
    request: pytest.FixtureRequest,
) -> None:
    earlier = signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    request.addfinalizer(lambda: signal.signal(signal.SIGTERM, earlier))
    with keep_ray():
        assert not ray.is_initialized(), "no work has needed one yet"
        with ray_runtime(logical_cpus=2):
            job = ray.get_runtime_context().get_job_id()
        with ray_runtime(logical_cpus=2):
            assert ray.get_runtime_context().get_job_id() == job
    assert not ray.is_initialized()
    if (pid := os.fork()) == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 143


@pytest.mark.chaos
def test_a_signal_ends_a_run_whose_actors_are_never_placed_and_its_ray() -> None:
    """The patience of the command is ten minutes, so it is not the one that ends it here."""
    command = [sys.executable, "-m", "tests.cluster.wait_for_actors"]
    process = subprocess.Popen(command, env=command_env(), cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    run = Following(process)
    run.until(lambda: "waits" in run.text, "the run waits for its actors")
    started = below(process.pid)
    assert started
    process.send_signal(signal.SIGTERM)
    assert run.wait() == 143
    assert run.text == "waits\nleft\n"
    wait_until(lambda: not [one.title for one in started if one.title], "Ray's processes have ended")
