"""The progress of a run, as a person sees it."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from laketag.schemas import LABELLED

RATE_WINDOW_S = 30.0
LINE_EVERY_S = 10.0


@dataclass
class Progress:
    """Counts the images of a run and shows them: one live line in a terminal, a line every ten seconds elsewhere."""

    planned: int
    console: Console
    done: int = 0  # including what earlier attempts of this run did
    outcomes: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> "Progress":
        self._began = self._printed = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque()  # (time, images done), since the first result
        self._at_start = self.done
        self._live = (
            Live(console=self.console, refresh_per_second=4, get_renderable=self.line)
            if self.console.is_terminal
            else None
        )
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        else:
            self.console.print(self.line())

    def add(self, outcome: str, images: int) -> None:
        """Count images with that outcome as done."""
        self.outcomes[outcome] += images
        self.done += images
        now = time.monotonic()
        self._recent.append((now, self.done))
        while self._recent[0][0] < now - RATE_WINDOW_S and len(self._recent) > 2:
            self._recent.popleft()
        if self._live is None and now - self._printed > LINE_EVERY_S and self.done < self.planned:
            self._printed = now
            self.console.print(self.line())

    @property
    def images_per_s(self) -> float | None:
        """Images done in a second, over about the last half minute; None before two results."""
        if len(self._recent) < 2:
            return None
        then, before = self._recent[0]
        return (self.done - before) / max(time.monotonic() - then, 1e-9)

    @property
    def mean_images_per_s(self) -> float:
        """Images done in a second, since this process began."""
        return (self.done - self._at_start) / max(time.monotonic() - self._began, 1e-9)

    def line(self) -> Text:
        """Images done of planned, rate, time left, failures by reason."""
        rate = self.images_per_s if self.done < self.planned else self.mean_images_per_s
        share = self.done / self.planned if self.planned else 1.0
        text = Text(f"{self.done:,} of {self.planned:,} images ({share:.0%})")
        if self.done == self._at_start:
            text.append(" · loading the models", "dim")
        elif rate:
            text.append(f" · {rate:,.1f} images/s", "cyan")
            if self.done < self.planned:
                text.append(f" · {_duration(round((self.planned - self.done) / rate))} left")
        failures = [(reason, images) for reason, images in self.outcomes.most_common() if reason != LABELLED]
        for reason, images in failures:
            text.append(f" · {reason} {images:,}", "yellow")
        return text


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return (
        f"{hours} h {rest // 60:02} min"
        if hours
        else f"{rest // 60} min {rest % 60:02} s"
        if rest >= 60
        else f"{rest} s"
    )
