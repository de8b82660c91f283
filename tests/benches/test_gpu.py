"""The bench for GPUs runs without one, on models too small to measure."""

import re

import pytest

from tests.benches.gpu import main

SMALL = ["--models", "tiny", "--images", "2", "--crops", "3", "--matrix", "256"]


def test_every_part_of_labelling_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "cpu", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"torch\.mm of 256: [\d.e+-]+ TFLOP/s", printed)
    line = next(line for line in printed.splitlines() if line.startswith("tiny"))
    parts = dict(part.rsplit(" ", 1) for part in line.split("%  ")[1].split(", "))
    assert list(parts) == [
        "copy",
        "attention",
        "whole image",
        "cut crops",
        "raw crops",
        "feature crops",
        "matching",
    ]
    assert all(float(milliseconds) >= 0 for milliseconds in parts.values())
