"""A run directory can be a stranger's: nothing in it runs code, and nothing is written where only it says so."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from analysis import comparison, gradients as gradcheck
from analysis.report import write
from analysis.sweep import plans
from neuroep.data import vectors as word_vectors
from neuroep.errors import ConfigError, DataError
from neuroep.runs import config as configuration, deployment, directory as runs, training
from tests.neuroep.data.files import WORDS, write_csv

ROWS = [("the film was good", 1), ("the film was bad", 0), ("not good", 0), ("a dog runs", 1)]
LINE = r"w\.kv': a pickle \(\.kv\) that only the run names; if you trust it, name it again: "
LINE += r"(?:overrides=\[.)?--data\.vectors"


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch '{self.mark}'",)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the file that shows that code was run."""
    return tmp_path / "code was run"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep tokenised sets of this test by themselves."""
    monkeypatch.setenv("NEUROEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a trained run whose configuration names a .kv file and a cache folder."""
    from gensim.models import KeyedVectors

    made = KeyedVectors(4)
    made.add_vectors(list(WORDS), np.random.default_rng(0).standard_normal((len(WORDS), 4)).astype(np.float32))
    made.save(str(tmp_path / "w.kv"))
    for split in ("train", "test"):
        write_csv(tmp_path / "set" / f"{split}.csv", ("text", "label"), ROWS)
    data = {"name": "table", "path": str(tmp_path / "set"), "vectors": str(tmp_path / "w.kv"), "text": ["text"]}
    values = {
        "network": {"tokens": 4, "dense": [3, 2]},
        "data": {**data, "cache": str(tmp_path / "own")},
        "training": {"epochs": 1, "batch": 2},
        "settling": {"free_steps": 4, "nudged_steps": 2},
    }
    training.train(configuration.parse(values), tmp_path / "run", progress=False)
    return tmp_path / "run"


def uses(run: Path, out: Path, overrides: list[str]) -> dict:
    """Return everything that reads the data of a run."""
    chip = ["--chip", "ideal"]
    vary = [{"chip.adc.bits": "6"}, {"chip.adc.bits": "8"}]
    return {
        "evaluate": lambda: deployment.evaluate(run, overrides=overrides),
        "deploy": lambda: deployment.deploy(run, overrides=[*chip, *overrides]),
        "compare": lambda: comparison.run(run, ["ideal"], out, overrides=overrides),
        "compare a run": lambda: comparison.run(runs.load(run, overrides), ["ideal"], out),
        "compare a configuration": lambda: comparison.run(run / "config.toml", ["ideal"], out, overrides=overrides),
        "gradcheck": lambda: gradcheck.run(runs.load(run, overrides), out, samples=2, steps=4),
        "sweep": lambda: plans.make(run, vary, [*chip, *overrides]),
        "resume": lambda: training.train(configuration.load(run / "config.toml", overrides), run, resume=True),
    }


USES = tuple(uses(Path(), Path(), []))


@pytest.mark.parametrize("use", USES)
def test_pickle_of_a_run_is_read_only_if_it_is_named_again(
    run: Path, tmp_path: Path, mark: Path, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read, and run, by each of these."""
    vectors = tmp_path / "w.kv"
    uses(run, tmp_path / "named", ["--data.vectors", str(vectors)])[use]()
    vectors.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(ConfigError, match=LINE):
        uses(run, tmp_path / "out", [])[use]()
    with pytest.raises(DataError, match=r"it names posix\.system, which is no part of word vectors"):
        uses(run, tmp_path / "out", ["--data.vectors", str(vectors)])[use]()
    assert not mark.exists()
    assert not (tmp_path / "out").exists()


def test_report_leaves_the_pickle_alone(run: Path, tmp_path: Path, mark: Path) -> None:
    """The page is written without what needs the data, and says so."""
    (tmp_path / "w.kv").write_bytes(pickle.dumps(Payload(mark)))
    page = Path(write(run)).read_text(encoding="utf-8")
    assert "only the run names" in page
    assert not mark.exists()


def test_cache_folder_of_a_run_is_not_used(run: Path, tmp_path: Path, own_cache: Path) -> None:
    """A stranger's configuration says nowhere where files are written; whoever names a folder gets it."""
    for file in (tmp_path / "own").iterdir():
        file.unlink()
    named = ["--data.vectors", str(tmp_path / "w.kv")]
    first = deployment.evaluate(run, overrides=named)
    assert os.listdir(tmp_path / "own") == []
    assert len(os.listdir(own_cache)) == 1
    again = deployment.evaluate(run, overrides=[*named, "--data.cache", str(tmp_path / "own")])
    assert len(os.listdir(tmp_path / "own")) == 1
    assert first.accuracy == again.accuracy


def test_configuration_that_a_user_gives_names_what_it_likes(run: Path, tmp_path: Path) -> None:
    """Outside a run directory a file is the user's own word; nothing in the pickle is run all the same."""
    own = tmp_path / "mine.toml"
    own.write_bytes((run / "config.toml").read_bytes())
    assert configuration.load(own).consented() is not None
    assert configuration.load(own).consented().data.cache == str(tmp_path / "own")


@pytest.mark.parametrize("name", ["vectors", "vectors_norm"])
def test_arrays_beside_a_pickle_hold_none(tmp_path: Path, mark: Path, name: str) -> None:
    """NumPy's own object arrays are pickles as well."""
    from gensim.models import KeyedVectors

    made = KeyedVectors(2)
    made.add_vectors(["the", "film"], np.ones((2, 2), np.float32))
    made.save(str(tmp_path / "w.kv"), separately=["vectors"])
    np.save(tmp_path / f"w.kv.{name}.npy", np.array([[Payload(mark)]], dtype=object), allow_pickle=True)
    if name == "vectors":
        with pytest.raises(DataError, match="cannot be read: Object arrays cannot be loaded"):
            word_vectors.read(tmp_path / "w.kv")
    else:
        assert len(word_vectors.read(tmp_path / "w.kv").rows) == 2
    assert not mark.exists()


def test_types_in_tables_run_no_code(tmp_path: Path, mark: Path) -> None:
    """A Parquet or Arrow file can name a type of its own, which old versions of pyarrow unpickled."""
    import pyarrow
    import pyarrow.parquet

    from neuroep.data import tables

    held = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(Payload(mark))}
    schema = pyarrow.schema([pyarrow.field("text", pyarrow.string(), metadata=held), ("label", pyarrow.int64())])
    table = pyarrow.table({"text": ["good", "bad"], "label": [1, 0]}).cast(schema)
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pyarrow.ipc.new_stream(tmp_path / "t.arrow", schema) as stream:
        stream.write_table(table)
    for name in ("t.parquet", "t.arrow"):
        read = tables.read_table(tmp_path / name, ("text", "label"))
        assert tables.texts(read, "text") == ["good", "bad"]
    assert not mark.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_runs_code(tmp_path: Path, mark: Path, protocol: int) -> None:
    """Neither at its top nor inside vectors that are in order otherwise, in any protocol."""
    from gensim.models import KeyedVectors

    made = KeyedVectors(2)
    made.add_vectors(["the", "film"], np.ones((2, 2), np.float32))
    path = tmp_path / "w.kv"
    path.write_bytes(pickle.dumps(made, protocol=protocol))
    assert word_vectors.read(path).table.tolist() == [[1, 1], [1, 1]]
    made.extra = Payload(mark)
    for held in (made, Payload(mark), {"vectors": Payload(mark)}):
        path.write_bytes(pickle.dumps(held, protocol=protocol))
        with pytest.raises(DataError, match="nothing of it is run"):
            word_vectors.read(path)
    assert not mark.exists()
