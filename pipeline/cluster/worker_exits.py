"""How a worker process of Ray ended, as far as Ray's control store (GCS) knows."""

import re

USED = re.compile(r"\) was (\S+ used / \S+ limit)")


def describe_exit(worker_id: str) -> str:
    """A phrase for the end of the worker with this id; empty if Ray does not know it any more.

    Ray knows no signals and no exit codes.
    """
    from ray._private.state import state  # ray.util.state asks the dashboard, which an embedded Ray has not
    from ray.core.generated import common_pb2, gcs_pb2

    for row in state._connect_and_get_accessor().get_worker_table():
        worker = gcs_pb2.WorkerTableData.FromString(row)  # type: ignore[attr-defined]  # made by protobuf
        if worker.worker_address.worker_id.hex() == worker_id and not worker.is_alive:
            return name_exit(common_pb2.WorkerExitType.Name(worker.exit_type), worker.exit_detail)  # type: ignore[attr-defined]
    return ""


def name_exit(kind: str, detail: str) -> str:
    """A phrase for an exit of this kind, with what matters of Ray's words about it."""
    if kind == "NODE_OUT_OF_MEMORY":
        used = USED.search(detail)
        return f"ended by Ray because its node was out of memory{f' ({used[1]})' if used else ''}"
    if kind == "SYSTEM_ERROR":
        return (
            "ended without an error of Python, by a crash of native code or by the kernel for want of memory"
        )
    return f"{kind}: {detail[:200]}"
