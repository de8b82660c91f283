"""Fixtures for whole flows: settings with a tiny model, and descriptions to label with."""

import json
from pathlib import Path

import pytest

from tests.models.tiny import save_local_dir


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file with a tiny random model whose own tower says where to look."""
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
    """CuPL descriptions of three classes, of unequal number."""
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
def slow_settings(tmp_path_factory: pytest.TempPathFactory, tiny_settings: Path) -> Path:
    """Settings for runs that take long enough to be watched and disturbed: small blocks, more crops."""
    file = tmp_path_factory.mktemp("settings") / "slow.toml"
    text = tiny_settings.read_text().replace("crops = 4", "crops = 30")
    file.write_text(text.replace("batch_size = 7\nrows_per_block = 8", "batch_size = 4\nrows_per_block = 4"))
    return file
