"""A lake whose images are under a scheme that another package installs into fsspec, on workers of Ray too."""

import os
from pathlib import Path

import pytest

from tests.end_to_end.command_line import PROJECT, must_spawn, spawn_laketag
from tests.end_to_end.lakes import label, put_described, table
from tests.end_to_end.pictures import encoded, picture
from tests.stores.store import folder_store


def install_scheme(site: Path) -> None:
    """A distribution in the folder declares ``folder://`` (tests.stores.folder_filesystem), as packages of filesystems do."""
    info = site / "folder_filesystem-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-filesystem\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[fsspec.specs]\nfolder = tests.stores.folder_filesystem.FolderFileSystem\n"
    )


@pytest.mark.cluster
def test_images_under_an_installed_scheme_are_indexed_and_labelled(
    tmp_path: Path, tiny_settings: Path, described: Path
) -> None:
    install_scheme(tmp_path / "site")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(PROJECT)])}
    store = folder_store(tmp_path / "store")
    for number in range(3):
        store.put(f"images/{number}.png", encoded(picture(number), "PNG"))
    lake = store.url("lake")
    source = f"folder://{store.url('images')}"
    index = ("index", source, "--root", lake, "-c", "c")
    refused = spawn_laketag(*index, env=env)
    assert refused.code == 2
    assert "folder:// is read only below fetch.allowed_roots" in refused.err
    roots = ("-o", f'fetch.allowed_roots=["{source}"]')
    must_spawn(*index, *roots, env=env)
    put_described(store, lake, described)
    must_spawn(*label(lake), "--settings", str(tiny_settings), *roots, env=env)
    rows = table(store, lake)
    assert rows["label"].null_count() == 0
    assert rows["uri"].sort().to_list() == [
        f"folder://{store.url('images')}/{number}.png" for number in range(3)
    ]
