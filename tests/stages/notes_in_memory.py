"""Notes of work and ends of processes, without Ray and without a process that ends."""

from dataclasses import dataclass, field

from laketag.pipeline.cluster.work_notes import Begun, WorkNotes


class DiedError(Exception):
    """Stands for the end of a process: what it has noted stays."""


@dataclass(frozen=True)
class NotesInMemory(WorkNotes):
    """Notes that need no Ray."""

    notes: dict[str, int] = field(default_factory=dict)

    def begin(self, work: str, stage: str, before: int = 0) -> None:
        assert " " not in stage
        assert before == self.notes.get(work, 0)
        self.notes[work] = before + 1

    def end(self, work: str) -> None:
        self.notes.pop(work, None)

    def read(self, work: str) -> Begun | None:
        return Begun(self.notes[work], "decoded", "w") if work in self.notes else None
