"""Ray's words about the end of a process, shortened to what a person can use; tests/chaos/test_poison.py reads real ones."""

from laketag.pipeline.cluster.worker_exits import name_exit

OUT_OF_MEMORY = """1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: 0eda3e) \
was 4.72GB used / 23.54GB limit (0.200524)
OOM kill reason: Memory usage 5062328320B exceeded threshold of 5055300608B"""


def test_the_end_names_its_kind_and_the_memory_of_the_node() -> None:
    said = name_exit("NODE_OUT_OF_MEMORY", OUT_OF_MEMORY)
    assert said == "ended by Ray because its node was out of memory (4.72GB used / 23.54GB limit)"
    assert "crash" in name_exit("SYSTEM_ERROR", "Worker unexpectedly exits with a connection error code 2.")
    assert name_exit("USER_ERROR", "x" * 999) == f"USER_ERROR: {'x' * 200}"
