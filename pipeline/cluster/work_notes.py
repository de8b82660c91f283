"""Notes of what is being worked on, in Ray's control store (GCS), where they outlive the process that dies of the work."""

from dataclasses import dataclass
from typing import Any

NAMESPACE = b"laketag"


@dataclass(frozen=True)
class Begun:
    """Work that processes have begun and not ended: because they died of it, or because they were ended meanwhile."""

    times: int
    stage: str
    worker_id: str
    """Ray's id of the last of these processes."""


@dataclass(frozen=True)
class WorkNotes:
    """The notes of one run. A batch costs one read and two writes of about a millisecond each."""

    run_id: str

    def begin(self, work: str, stage: str, before: int = 0) -> None:
        """A note says that this process works on it, as ``before`` others have begun to and not ended."""
        import ray

        worker_id = ray.get_runtime_context().get_worker_id()
        self.write(work, f"{before + 1} {stage} {worker_id}")

    def write(self, work: str, text: str) -> None:
        """The note about it says this."""
        _kv()._internal_kv_put(self._key(work), text, namespace=NAMESPACE)

    def read_text(self, work: str) -> str | None:
        """What the note about it says, if there is one."""
        note: bytes | None = _kv()._internal_kv_get(self._key(work), namespace=NAMESPACE)
        return None if note is None else note.decode()

    def end(self, work: str) -> None:
        """The work is done, and its note is gone."""
        _kv()._internal_kv_del(self._key(work), namespace=NAMESPACE)

    def count(self, work: str) -> int:
        """How often it was begun and not ended."""
        begun = self.read(work)
        return begun.times if begun else 0

    def read(self, work: str) -> Begun | None:
        """Who has begun it and not ended; None if nobody has."""
        note = self.read_text(work)
        if note is None:
            return None
        times, stage, worker_id = note.split(" ")
        return Begun(int(times), stage, worker_id)

    def list_begun(self, prefix: str) -> list[str]:
        """What begins with this and was begun and not ended, without the prefix."""
        start = self._key(prefix)
        keys: list[bytes] = _kv()._internal_kv_list(start, namespace=NAMESPACE)
        return sorted(key[len(start) :].decode() for key in keys)

    def clear(self) -> None:
        """No note of the run is left."""
        _kv()._internal_kv_del(self._key(""), del_by_prefix=True, namespace=NAMESPACE)

    def _key(self, work: str) -> bytes:
        return f"{self.run_id}/{work}".encode()


def _kv() -> Any:
    """Ray's own store of keys; ray.util has no public way to it."""
    from ray.experimental import internal_kv

    return internal_kv
