"""What a person sees of a run: a bar in a terminal, lines elsewhere; a rate that is not that of the start."""

import io

import pytest
from rich.console import Console

from laketag.pipeline.progress.progress import LINE_EVERY_S, RATE_BLOCKS, Progress

LOADING_S = 600.0


class Clock:
    """A clock that shows the same time until it is set forward."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Watched(Progress):
    """A run whose blocks come when the test says so, and what it has printed."""

    def __init__(self, planned: int, *, width: int = 80, terminal: bool = False) -> None:
        self.out, self.time = io.StringIO(), Clock()
        console = Console(file=self.out, width=width, force_terminal=terminal, no_color=True)
        super().__init__(planned, console, "r", clock=self.time)
        self.begin(0)

    def after(self, seconds: float, **outcomes: int) -> None:
        self.time.now_s += seconds
        self.add(outcomes)


def test_in_a_log_it_says_that_models_are_loaded_how_far_it_is_and_how_it_ended() -> None:
    progress = Watched(100)
    with progress:
        progress.after(LOADING_S, labelled=40)
        progress.after(1, labelled=2, not_found=1)
        progress.after(LINE_EVERY_S + 1, empty=1)
        progress.after(8, labelled=56)
    assert progress.out.getvalue().splitlines() == [
        "0 of 100 images (0%) · loading the models",
        "40 of 100 images (40%)",
        "44 of 100 images (44%) · 0.3 images/s · 2 min 48 s left · not_found 1 · empty 1",
        "100 of 100 images (100%) · 3.0 images/s · not_found 1 · empty 1",
    ]
    assert (progress.labelled, progress.failures) == (98, {"not_found": 1, "empty": 1})


def test_the_time_before_the_first_block_is_in_no_rate() -> None:
    progress = Watched(1_000)
    progress.after(LOADING_S, labelled=100)
    progress.after(4, labelled=40)
    progress.after(4, labelled=40)
    assert (progress.images_per_s, progress.mean_images_per_s) == (10.0, 10.0)
    assert progress.line().plain == "180 of 1,000 images (18%) · 10.0 images/s · 1 min 22 s left"


def test_blocks_that_come_together_give_no_rate() -> None:
    progress = Watched(64)
    progress.after(100, labelled=16)
    progress.after(0.01, labelled=16)
    assert (progress.images_per_s, progress.mean_images_per_s) == (None, None)
    assert progress.line().plain == "32 of 64 images (50%)"


def test_the_rate_is_that_of_the_last_blocks_and_falls_while_none_comes() -> None:
    progress = Watched(10_000)
    for _ in range(50):
        progress.after(10, labelled=1)
    assert progress.images_per_s == pytest.approx(
        0.1
    )  # ten blocks, although they took longer than the window
    for _ in range(4 * RATE_BLOCKS):
        progress.after(1, labelled=5)
    assert progress.images_per_s == pytest.approx(5)
    progress.time.now_s += 60
    assert progress.images_per_s < 2


@pytest.mark.parametrize("width", [30, 80, 120])
def test_in_a_terminal_a_bar_with_rate_time_left_and_failures_fits_one_line(width: int) -> None:
    progress = Watched(10_000_000, width=width, terminal=True)
    progress.after(LOADING_S, labelled=1_000_000)
    progress.after(10, labelled=200_000)
    progress.after(0, not_found=30_000, empty=4_567)
    progress.console.print(progress.bar())
    line = progress.out.getvalue().splitlines()[-1]
    assert len(line) <= width
    assert ("━" in line) is (width > 100)
    if width >= 80:
        assert "1,234,567 of 10,000,000 · 23,456.7 images/s · 6 min 14 s left · failed 34,567" in line


def test_an_attempt_after_a_loss_begins_with_what_was_done() -> None:
    progress = Watched(100)
    progress.after(LOADING_S, labelled=10)
    progress.after(2, labelled=10, timeout=3)
    progress.begin(18)
    assert (progress.done, progress.labelled, progress.failures, progress.images_per_s) == (18, 18, {}, None)
    assert "loading the models" in progress.line().plain
