"""The demo's lake is the same every time, mixed, and broken where it says so."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from laketag.demo.lake import FAULTS, DemoImage, main, write_demo_images
from laketag.demo.objects import CLASS_NAMES


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> list[DemoImage]:
    return write_demo_images(tmp_path_factory.mktemp("lake"))


def _size_px(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_two_hundred_pictures_and_one_file_with_each_fault_are_in_class_folders(
    lake: list[DemoImage],
) -> None:
    assert Counter(image.fault for image in lake) == {None: 200, **dict.fromkeys(FAULTS, 1)}
    assert {image.path.parent.name for image in lake} == set(CLASS_NAMES)
    assert all(image.path.parent.name == image.class_name for image in lake)


def test_sound_pictures_decode_and_hold_their_objects_box(lake: list[DemoImage]) -> None:
    for image in lake:
        if image.fault is None:
            with Image.open(image.path) as picture:
                picture.load()
                width, height = picture.size
            assert image.box_xyxy_px is not None
            x0, y0, x1, y1 = image.box_xyxy_px
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height


def test_most_objects_are_small_and_shapes_and_formats_vary(lake: list[DemoImage]) -> None:
    sound = [image for image in lake if image.fault is None]
    difficulties = Counter(image.difficulty for image in sound)
    assert difficulties == {"hard": 80, "mid": 80, "easy": 40}
    assert {image.path.suffix for image in sound} == {".jpg", ".png", ".webp"}
    sizes = {_size_px(image.path) for image in sound}
    assert {width > height for width, height in sizes} == {True, False}
    assert min(min(size) for size in sizes) >= 150
    assert max(max(size) for size in sizes) <= 640


@pytest.mark.parametrize("fault", ["empty", "truncated", "undecodable", "unsupported"])
def test_broken_files_do_not_decode(lake: list[DemoImage], fault: str) -> None:
    (broken,) = [image for image in lake if image.fault == fault]
    with pytest.raises(OSError), Image.open(broken.path) as picture:  # noqa: PT011
        picture.load()


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    first, again, other = (
        write_demo_images(tmp_path / name, count=20, seed=seed)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert [image.path.read_bytes() for image in first] == [image.path.read_bytes() for image in again]
    assert [image.path.read_bytes() for image in first[:20]] != [
        image.path.read_bytes() for image in other[:20]
    ]


def test_the_module_draws_as_many_pictures_as_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lake", str(tmp_path / "one"), "--pictures", "3"])
    main()
    write_demo_images(tmp_path / "other", count=3)
    drawn, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "one", tmp_path / "other")
    )
    assert len(drawn) == 3 + len(FAULTS)
    assert drawn == expected
