"""Fixtures for whole flows: settings with a tiny model, and descriptions to label with."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.end_to_end.command_line import must_run
from tests.end_to_end.lakes import label_in_folder, many_images
from tests.end_to_end.shared_ray import SharedRay
from tests.stores.store import folder_store


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file with a tiny random model whose own image tower is the attention model."""
    # it imports torch and open_clip, which pytest-xdist's controller never needs
    from tests.models.tiny import save_local_dir

    folder = tmp_path_factory.mktemp("settings")
    model = save_local_dir(folder / "model")
    file = folder / "settings.toml"
    file.write_text(
        f'[backbone]\npretrained = "local-dir:{model}"\n[attention]\nname = "backbone"\n[method]\ncrops = 4\n'
        "[fetch]\nmax_bytes = 300000\n[run]\nbatch_size = 7\nrows_per_block = 8\n"
    )
    return file


@pytest.fixture(scope="session")
def descriptions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CuPL descriptions of three classes, a different number for each."""
    file = tmp_path_factory.mktemp("descriptions") / "pets.json"
    texts = {
        "cat": ["A cat has whiskers and a long tail.", "A cat sleeps on a warm red sofa."],
        "dog": [
            "A dog has floppy ears.",
            "A dog runs after a yellow ball in the park.",
            "A dog wags its tail.",
        ],
        "bird": ["A bird has feathers and sits on a branch."],
    }
    file.write_text(json.dumps(texts))
    return file


@pytest.fixture(scope="session")
def small_blocks(tmp_path_factory: pytest.TempPathFactory, tiny_settings: Path) -> Path:
    """The same settings with blocks of four images, each of which keeps a label actor busy for some tenths of a second."""
    file = tmp_path_factory.mktemp("settings") / "small-blocks.toml"
    text = tiny_settings.read_text().replace("crops = 4", "crops = 100")
    file.write_text(text.replace("batch_size = 7\nrows_per_block = 8", "batch_size = 4\nrows_per_block = 4"))
    return file


@pytest.fixture(scope="session")
def described(
    tmp_path_factory: pytest.TempPathFactory,
    shared_ray: SharedRay,
    tiny_settings: Path,
    descriptions: Path,
) -> Path:
    """A lake with nothing but the descriptions, as set ``s``; ``put_described`` copies it into other lakes."""
    root = tmp_path_factory.mktemp("described")
    shared_ray.join()
    must_run("describe", str(descriptions), "--root", str(root), "-s", "s", "--settings", str(tiny_settings))
    return root


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    shared_ray: SharedRay,
    described: Path,
    small_blocks: Path,
) -> pl.DataFrame:
    """The table of ``many_images`` after a run on one machine that nothing disturbed."""
    shared_ray.join()
    return label_in_folder(
        folder_store(tmp_path_factory.mktemp("many")), many_images(), described, small_blocks
    )
