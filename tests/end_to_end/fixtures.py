"""Fixtures for whole flows: settings with a tiny model, and descriptions to label with."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.end_to_end.command_line import must_run
from tests.end_to_end.lakes import VARIED, index_named, label, many_images, put_all, put_described, table
from tests.models.tiny import save_local_dir
from tests.stores.store import Store, folder_store


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
    text = tiny_settings.read_text().replace("crops = 4", "crops = 20")
    file.write_text(text.replace("batch_size = 7\nrows_per_block = 8", "batch_size = 4\nrows_per_block = 4"))
    return file


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory, tiny_settings: Path, descriptions: Path) -> Path:
    """A folder with these descriptions as set ``s``, which any lake may be given: made once, as it takes long."""
    root = tmp_path_factory.mktemp("described")
    must_run("describe", str(descriptions), "--root", str(root), "-s", "s", "--settings", str(tiny_settings))
    return root


@pytest.fixture(scope="session")
def many_in_a_folder(tmp_path_factory: pytest.TempPathFactory, described: Path) -> Store:
    """A folder with many images, indexed and described."""
    store = folder_store(tmp_path_factory.mktemp("many"))
    put_all(store, many_images())
    index_named(store, store.url("lake"), many_images())
    put_described(store, store.url("lake"), described)
    return store


@pytest.fixture(scope="session")
def undisturbed(many_in_a_folder: Store, slow_settings: Path) -> pl.DataFrame:
    """The table of many images that were labelled on one machine, and nothing happened."""
    lake = many_in_a_folder.url("lake")
    must_run(*label(lake), "--settings", str(slow_settings))
    return table(many_in_a_folder, lake)


@pytest.fixture(scope="session")
def varied_table(
    tmp_path_factory: pytest.TempPathFactory, described: Path, tiny_settings: Path
) -> pl.DataFrame:
    """The table of the varied images that were labelled on one machine: 7 in a batch, 8 in a block, one actor."""
    store = folder_store(tmp_path_factory.mktemp("varied"))
    put_all(store, VARIED)
    lake = store.url("lake")
    index_named(store, lake, VARIED)
    put_described(store, lake, described)
    must_run(*label(lake), "--settings", str(tiny_settings))
    return table(store, lake)
