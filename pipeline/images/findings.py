"""What a person should know about a source that was indexed, besides its images."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from laketag.pipeline.store.locations import UNREADABLE_FOLDER, UNSEEN, hide_secrets

OnLeftOut = Callable[[str, str], object]
"""Called with the path of a file or folder that is left out, and the reason."""


@dataclass
class LeftOut:
    """What is left out of an index; a folder of this machine is not entered and counts once, in a store each of its keys does."""

    tell: OnLeftOut | None = None
    files: Counter[str] = field(default_factory=Counter)  # by reason
    unreadable: list[str] = field(default_factory=list)  # folders
    unseen: list[str] = field(default_factory=list)
    """Folders (with a slash at their end), files and links that could not be looked at: their images may still exist."""
    unmatched: list[str] = field(default_factory=list)  # globs of --exclude

    def add(self, path: str, reason: str) -> None:
        """Count the file or folder, and tell of it."""
        self.files[reason] += 1
        if reason == UNREADABLE_FOLDER:
            self.unreadable.append(path)
        if reason in UNSEEN:
            self.unseen.append(path)
        if self.tell:
            self.tell(path, reason)


@dataclass
class Findings:
    """What was left out of an index, and what in it will not be read; fills while the rows of a source are read."""

    left_out: LeftOut = field(default_factory=LeftOut)
    unreadable: Counter[str] = field(default_factory=Counter)
    """Images of the index that can never be read, by reason."""
    examples: dict[str, str] = field(default_factory=dict)
    """The first URI with each of these reasons."""
    columns: list[str] = field(default_factory=list)
    """Which columns of tables tell where the images are, and why these; each sentence once."""
    notices: list[str] = field(default_factory=list)
    """What else a person should know of the source, such as lines of a split file without an image."""

    def add_unreadable(self, reason: str, images: int, uri: str) -> None:
        """Count further images that cannot be read for this reason, such as the one with the URI."""
        if images:
            self.unreadable[reason] += images
            self.examples.setdefault(reason, hide_secrets(uri))

    def add_columns(self, sentence: str) -> None:
        """Keep the sentence, unless an earlier table gave the same."""
        if sentence not in self.columns:
            self.columns.append(sentence)
