"""What Ray logs, prints and writes from C++ is in a file, and what laketag writes is on standard error."""

import subprocess
import sys
from pathlib import Path

from tests.end_to_end.command_line import command_env

CODE = """
import logging, os, sys
from laketag.pipeline.cluster.ray_logs import ray_log_file, ray_logs_in_file

with ray_logs_in_file():
    from ray._private.worker import print_to_stdstream

    logging.getLogger("ray._private.services").warning("The object store is using /tmp/ray instead of /dev/shm")
    os.write(2, b"written by C++ to standard error\\n")
    logging.getLogger("ray.data").addHandler(logging.FileHandler("/dev/full"))
    logging.getLogger("ray.data").warning("a message for a disk that is full")
    print_to_stdstream({"lines": ["printed by a thread"], "pid": "raylet", "is_err": False}, ignore_prefix=False)
    sys.stderr.write("a word of laketag\\n")
sys.stderr.write("another one\\n")
os.write(2, b"and one of another library\\n")
print(ray_log_file())
"""


def test_messages_of_ray_are_in_the_file_and_ours_are_not(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=command_env({"TMPDIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "a word of laketag\nanother one\nand one of another library\n"
    log = Path(done.stdout.strip())
    assert log.parent == tmp_path
    written = log.read_text()
    assert "WARNING ray._private.services: The object store is using /tmp/ray" in written
    assert "written by C++ to standard error" in written
