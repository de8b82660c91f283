"""What rounds share: stores behind fault proxies, a Ray cluster, images with descriptions, and their undisturbed table."""

import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from tests.chaos.comparison import transient_rows
from tests.chaos.drivers import Driver, Drivers
from tests.cluster.ray_cluster import RayCluster, serve_ray
from tests.end_to_end.command_line import PROJECT, overrides, wait_until
from tests.end_to_end.lakes import label
from tests.end_to_end.pictures import BROKEN, GOOD, encoded, picture
from tests.models.tiny import save_local_dir
from tests.stores.ceph_gateway import serve_ceph
from tests.stores.fault_proxy import FaultProxy, serve_faults
from tests.stores.moto_server import serve_moto
from tests.stores.store import OWNER, STRANGER, Store, credentials_env, new_bucket

NODES = 2
BLOCKS = 25
"""Of the tiny images of a lake, whatever their number, so that a round stages as many parts and its disturbances are as dense."""
OF_NODES = {"PYTHONPATH": str(PROJECT), "RAY_worker_niceness": "0"}
"""Workers import this checkout, and are as important as other processes of the machine: Ray's default starves them."""
TEXTS = {
    "cat": ["A cat has whiskers and a long tail.", "A cat sleeps on a warm red sofa."],
    "dog": ["A dog has floppy ears.", "A dog runs after a yellow ball in the park."],
    "bird": ["A bird has feathers and sits on a branch."],
}


def draw_images(lake: int, count: int) -> dict[str, bytes]:
    """Name → bytes of ``count`` tiny pictures, of some of all formats, and of one broken file for each kind of failure."""
    rng = random.Random(lake)
    pictures = {
        f"many/{number:04}.png": encoded(picture(rng.randrange(2**31), (48 + number % 50, 40)), "PNG")
        for number in range(count)
    }
    return pictures | GOOD | {name: data for name, (data, _) in BROKEN.items()}


@dataclass
class Bed:
    """The running stores and cluster, and the images that were put on them so far."""

    folder: Path
    stores: Mapping[str, Store]
    proxies: Mapping[str, FaultProxy]
    cluster: RayCluster
    drivers: Drivers
    pictures: int = 200
    """How many tiny images each lake has, beside those of all formats and the broken ones."""
    indexed: dict[tuple[str, int], dict[str, bytes]] = field(default_factory=dict)
    undisturbed: dict[int, pl.DataFrame] = field(default_factory=dict)

    @property
    def rows_per_block(self) -> int:
        """Images that are labelled and staged together."""
        return max(1, self.pictures // BLOCKS)

    @property
    def parts(self) -> int:
        """How many parts the run of a lake stages."""
        return (self.pictures + len(GOOD) + len(BROKEN)) // self.rows_per_block

    @cached_property
    def settings(self) -> Path:
        """A settings file with a tiny random model, small blocks, and less patience than a user has."""
        model = save_local_dir(self.folder / "model")
        file = self.folder / "settings.toml"
        rows = self.rows_per_block
        file.write_text(
            f'[backbone]\npretrained = "local-dir:{model}"\n[attention]\nname = "backbone"\n[method]\ncrops = 4\n'
            "[fetch]\nmax_bytes = 300000\ndeadline_s = 10\nconcurrency = 8\n"
            f"[run]\nbatch_size = {rows}\nrows_per_block = {rows}\nfetch_slots = 1\ndecode_slots = 1\n"
            f"missing_nodes_s = 10\nrows_per_file = {10 * rows}\n"
        )
        return file

    def start(self, store: str, lake: str, actors: int = NODES) -> Driver:
        """A driver labels that lake of the store, through the proxy."""
        root, endpoint = self.stores[store].url(f"lakes/{lake}"), self.proxies[store].url
        settings = overrides(f"storage.endpoint_url={endpoint}", f"run.actors={actors}")
        return self.drivers.start(*label(root), "--settings", str(self.settings), *settings)

    def verify(self, store: str, lake: str) -> Driver:
        """A driver verifies that lake of the store."""
        chosen = self.stores[store]
        endpoint = overrides(f"storage.endpoint_url={chosen.env['AWS_ENDPOINT_URL']}")
        return self.drivers.start("verify", "--root", chosen.url(f"lakes/{lake}"), *endpoint)

    def must_run(self, *arguments: str) -> None:
        """The command has ended with 0."""
        driver = self.drivers.start(*arguments)
        wait_until(lambda: driver.code is not None, "the command ends", output=lambda: driver.text)
        if driver.code:
            raise RuntimeError(f"{arguments} ended with {driver.code}: {driver.text}")

    def make_lake(self, store: str, images: int, name: str) -> None:
        """The lake ``name`` of the store has the index of these images and descriptions, and no label."""
        for key, data in self._prepare(store, images).items():
            self.stores[store].put(f"lakes/{name}/{key}", data)

    def find_undisturbed(self, images: int) -> pl.DataFrame:
        """The table of these images after a run that nothing disturbed."""
        if images not in self.undisturbed:
            name = f"undisturbed-{images}"
            self.make_lake("moto", images, name)
            driver = self.start("moto", name)
            wait_until(lambda: driver.code is not None, "the run ends", output=lambda: driver.text)
            rows = self.read("moto", name, "labels")
            if driver.code or transient_rows(rows):
                raise RuntimeError(f"the undisturbed run ended with {driver.code}: {driver.text}")
            self.undisturbed[images] = rows
        return self.undisturbed[images]

    def read(self, store: str, lake: str, table: str) -> pl.DataFrame:
        """All rows of a table, as the README's plain scan reads them; without any, no columns."""
        chosen = self.stores[store]
        names = chosen.list(f"lakes/{lake}/{table}/")
        files = [f"s3://{name}" for name in names if name.endswith(".parquet")]
        if not files:
            return pl.DataFrame()
        options = {"aws_endpoint_url": chosen.env["AWS_ENDPOINT_URL"], "aws_allow_http": "true"}
        rows = pl.scan_parquet(files, storage_options=options | _keys(chosen.env), missing_columns="insert")
        return rows.collect()

    def _prepare(self, store: str, images: int) -> dict[str, bytes]:
        """Key → bytes of the files of a lake with index and descriptions; the images are in the store."""
        if (store, images) not in self.indexed:
            chosen, name = self.stores[store], f"prepared-{images}"
            pictures = draw_images(images, self.pictures)
            for key, data in pictures.items():
                chosen.put(f"images/{images}/{key}", data)
            names = pl.DataFrame(
                {
                    "id": sorted(pictures),
                    "uri": [chosen.url(f"images/{images}/{key}") for key in sorted(pictures)],
                }
            )
            table = self.folder / "names.parquet"
            names.write_parquet(table)
            texts = self.folder / "texts.json"
            texts.write_text(json.dumps(TEXTS))
            root, endpoint = (
                chosen.url(f"lakes/{name}"),
                f"storage.endpoint_url={chosen.env['AWS_ENDPOINT_URL']}",
            )
            self.must_run("index", str(table), "--root", root, "-c", "c", "--id-column", "id", "-o", endpoint)
            self.must_run(
                "describe",
                str(texts),
                "--root",
                root,
                "-s",
                "s",
                "--settings",
                str(self.settings),
                "-o",
                endpoint,
            )
            prefix = f"lakes/{name}/"
            self.indexed[store, images] = {
                key.partition(prefix)[2]: chosen.get(key.partition("/")[2]) for key in chosen.list(prefix)
            }
        return self.indexed[store, images]


def _keys(env: Mapping[str, str]) -> dict[str, str]:
    return {
        "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
        "aws_region": env["AWS_REGION"],
    }


@contextmanager
def make_bed(stores: tuple[str, ...], pictures: int = Bed.pictures) -> Iterator[Bed]:
    """Stores behind proxies, a cluster and a process that starts drivers; this process must have the owner's credentials."""
    with ExitStack() as running:
        folder = Path(
            running.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True))
        )
        made: dict[str, Store] = {}
        proxies: dict[str, FaultProxy] = {}
        for name in stores:
            place = Path(running.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-")))
            serving = serve_moto(place) if name == "moto" else serve_ceph(place, (OWNER, STRANGER))
            made[name] = new_bucket(name, running.enter_context(serving))
            proxies[name] = running.enter_context(serve_faults(made[name].env["AWS_ENDPOINT_URL"]))
        cache = {"LAKETAG_CACHE": str(folder / "cache")}
        cluster = running.enter_context(serve_ray(credentials_env() | cache | OF_NODES, workers=NODES))
        ray = {"RAY_ADDRESS": f"127.0.0.1:{cluster.gcs_port}", **cluster.submitter_env}
        drivers = running.enter_context(Drivers(folder, credentials_env() | cache | ray))
        yield Bed(folder, made, proxies, cluster, drivers, pictures)
