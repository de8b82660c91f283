"""What a person sees of a run: a bar in a terminal, lines elsewhere; a rate that is not that of the start."""

import io
import time

import pytest
from rich.console import Console

from laketag.pipeline.progress.progress import RATE_BLOCKS, Progress


def console(width: int, *, terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True)


def printed(progress: Progress) -> str:
    assert isinstance(progress.console.file, io.StringIO)
    return progress.console.file.getvalue()


def measured(planned: int, blocks: list[tuple[float, int]], width: int = 80) -> Progress:
    """A progress in a terminal whose blocks came so many seconds ago."""
    progress = Progress(planned, console(width, terminal=True), "r")
    progress.begin(0)
    progress._live = None
    for ago_s, images in blocks:
        progress.add({"labelled": images})
        progress._recent[-1] = (time.monotonic() - ago_s, progress.done)
        progress._first = progress._recent[0]
    return progress


def test_in_a_log_it_says_that_models_are_loaded_and_how_it_ended() -> None:
    progress = Progress(4, console(80, terminal=False), "r")
    progress.begin(0)
    with progress:
        progress.add({"labelled": 2, "not_found": 1})
        progress.add({"empty": 1})
    first, last = printed(progress).splitlines()
    assert first == "0 of 4 images (0%) · loading the models"
    assert last.startswith("4 of 4 images (100%) · ")
    assert last.endswith(" images/s · not_found 1 · empty 1")
    assert (progress.labelled, progress.failures) == (2, {"not_found": 1, "empty": 1})


def test_the_time_before_the_first_block_is_in_no_rate() -> None:
    progress = measured(1_000, [(8.0, 100), (4.0, 40), (0.0, 40)])
    progress._began -= 600  # Ray started and models were loaded
    assert progress.images_per_s == pytest.approx(10, rel=0.05)
    assert progress.mean_images_per_s == pytest.approx(10, rel=0.05)
    assert "82 s left" not in progress.line().plain
    assert "1 min 22 s left" in progress.line().plain


def test_blocks_that_come_together_give_no_rate() -> None:
    progress = measured(64, [(0.01, 16), (0.0, 16)])
    progress._began -= 100
    assert progress.images_per_s is None
    assert progress.mean_images_per_s == pytest.approx(0.32, rel=0.05)
    assert progress.line().plain == "32 of 64 images (50%)"


def test_the_rate_is_that_of_the_last_blocks() -> None:
    slow = [(1_000.0 - 10 * number, 1) for number in range(50)]
    fast = [(float(RATE_BLOCKS - number), 5) for number in range(RATE_BLOCKS + 1)]
    progress = measured(10_000, [*slow, *fast])
    progress.add({"labelled": 0})
    assert progress.images_per_s == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("width", [30, 80, 120])
def test_in_a_terminal_a_bar_with_rate_time_left_and_failures_fits_one_line(width: int) -> None:
    progress = measured(10_000_000, [(10.0, 1_000_000), (0.0, 200_000)], width)
    progress.add({"not_found": 30_000, "empty": 4_567})
    progress.console.print(progress.bar())
    (line,) = printed(progress).splitlines()
    assert len(line) <= width
    assert ("━" in line) is (width > 100)
    if width >= 80:
        assert "1,234,567 of 10,000,000 · " in line
        assert "left · failed 34,567" in line


def test_an_attempt_after_a_loss_begins_with_what_was_done() -> None:
    progress = measured(100, [(2.0, 10), (0.0, 10)])
    progress.add({"timeout": 3})
    progress.begin(18)
    assert (progress.done, progress.labelled, progress.failures, progress.images_per_s) == (18, 18, {}, None)
    assert "loading the models" in progress.line().plain
