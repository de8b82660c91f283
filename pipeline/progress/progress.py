"""The progress of a run, as a person sees it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from laketag.pipeline.progress.estimate import name_duration
from laketag.schemas import LABELLED

RATE_WINDOW_S = 30.0
RATE_BLOCKS = 10
"""The rate is that of the last blocks: those of the window, and at least this many. On a CPU a block takes minutes."""
LEAST_MEASURED_S = 1.0
"""Blocks of several actors come at the same moment; a rate between two such blocks means nothing."""
LINE_EVERY_S = 10.0
BAR_CELLS = (10, 40)
"""The narrowest and the widest bar."""


@dataclass
class Progress:
    """Counts the images of a run and shows them: one live bar in a terminal, a line every ten seconds elsewhere."""

    planned: int
    console: Console
    run_id: str = ""
    done: int = 0  # including what earlier attempts of this run did
    outcomes: Counter[str] = field(default_factory=Counter)  # of this attempt
    published: bool = False
    unit: str = "images"  # or what else is counted
    clock: Callable[[], float] = time.monotonic
    _live: Live | None = None

    def begin(self, done: int) -> None:
        """An attempt begins, in which this many images are done already."""
        self.done, self.outcomes = done, Counter()
        self._printed = self.clock()
        self._recent: deque[tuple[float, int]] = deque()  # (time, images done) after a block
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> "Progress":
        self._live = (
            Live(console=self.console, refresh_per_second=4, get_renderable=self.bar)
            if self.console.is_terminal and not self.console.quiet  # a live display takes stdout over
            else None
        )
        if self._live:
            self._live.start()
        else:
            self.console.print(self.line(), soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        else:
            self.console.print(self.line(), soft_wrap=True)

    def add(self, outcomes: Mapping[str, int]) -> None:
        """Count the images of a block as done, by their outcomes."""
        self.outcomes.update(outcomes)
        self.done += sum(outcomes.values())
        now = self.clock()
        self._first = self._first or (now, self.done)
        self._recent.append((now, self.done))
        while self._recent[0][0] < now - RATE_WINDOW_S and len(self._recent) > RATE_BLOCKS:
            self._recent.popleft()
        if self._live is None and now - self._printed > LINE_EVERY_S and self.done < self.planned:
            self._printed = now
            self.console.print(self.line(), soft_wrap=True)

    @property
    def images_per_s(self) -> float | None:
        """Images done in a second, over the last blocks; None while too few are done to tell."""
        return self._rate_since(self._recent[0], self.clock()) if self._recent else None

    @property
    def mean_images_per_s(self) -> float | None:
        """Images done in a second by this attempt after its first block, before which models are loaded; None if too few."""
        return self._rate_since(self._first, self._recent[-1][0]) if self._first else None

    @property
    def failures(self) -> dict[str, int]:
        """Images of this attempt that have no label, by reason, the most frequent first."""
        return {reason: images for reason, images in self.outcomes.most_common() if reason != LABELLED}

    @property
    def labelled(self) -> int:
        """Images that have a label, of earlier attempts too."""
        return self.done - sum(self.failures.values())

    def bar(self) -> RenderableType:
        """What a terminal shows: a bar, rate, time left and how many images failed, on one line."""
        failed = sum(self.failures.values())
        counts = f"{self.done:,} of {self.planned:,}"
        text = self._describe(counts, {"failed": failed} if failed else {})
        room = self.console.width - text.cell_len - 1
        narrowest, widest = BAR_CELLS
        bar = [ProgressBar(self.planned, self.done, width=min(room, widest))] if room >= narrowest else []
        grid = Table.grid(*(Column(no_wrap=True) for _ in (*bar, text)), padding=(0, 1, 0, 0))
        grid.add_row(*bar, text)
        return grid

    def line(self) -> Text:
        """What a log shows: images done of planned, rate, time left, failures by reason."""
        share = self.done / self.planned if self.planned else 1.0
        return self._describe(f"{self.done:,} of {self.planned:,} {self.unit} ({share:.0%})", self.failures)

    def _describe(self, counts: str, failures: Mapping[str, int]) -> Text:
        text = Text(counts)
        goes_on = self.done < self.planned
        rate = self.images_per_s if goes_on else self.mean_images_per_s
        if self._first is None:
            text.append(" · loading the models", "dim")
        elif rate:
            text.append(f" · {rate:,.1f} {self.unit}/s", "cyan")
            if goes_on:
                text.append(f" · {name_duration(round((self.planned - self.done) / rate))} left")
        for reason, images in failures.items():
            text.append(f" · {reason} {images:,}", "yellow")
        return text

    def _rate_since(self, point: tuple[float, int], now: float) -> float | None:
        then, before = point
        return (self.done - before) / (now - then) if now - then >= LEAST_MEASURED_S else None
