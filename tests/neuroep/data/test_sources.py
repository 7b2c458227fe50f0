"""Local tables, folders of splits, and the hub."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from neuroep.data import sources
from neuroep.errors import DataError
from tests.neuroep.data.files import write_csv, write_jsonl, write_parquet

COLUMNS = ("text", "label")
ROWS = [("good, \u201cquoted\u201d\nfilm", 1), ("bad", 0)]


def write(path: Path) -> Path:
    """Write the rows in the format of the name."""
    plain = path.with_name(path.name.removesuffix(".gz"))
    if ".csv" in path.name or ".tsv" in path.name:
        write_csv(plain, COLUMNS, ROWS, delimiter="\t" if ".tsv" in path.name else ",")
    elif ".json" in path.name:
        write_jsonl(plain, COLUMNS, ROWS)
    else:
        write_parquet(plain, COLUMNS, ROWS)
    if plain != path:
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.json", "t.csv.gz", "t.jsonl.gz"])
def test_every_format_reads_alike(tmp_path: Path, name: str) -> None:
    """Quoted line breaks and other alphabets survive."""
    table = sources.read_table(write(tmp_path / name), COLUMNS)
    assert sources.texts(table, "text") == [text for text, _ in ROWS]
    assert table.columns["label"].to_pylist() == [1, 0]


def test_text_of_digits_stays_text(tmp_path: Path) -> None:
    """CSV has no types; the text column is read as text."""
    table = sources.read_table(write_csv(tmp_path / "t.csv", COLUMNS, [("12", 0), ("", 1)]), COLUMNS)
    assert sources.texts(table, "text") == ["12", ""]


def test_categories_are_read_as_their_values(tmp_path: Path) -> None:
    """Dictionary columns, as data frames write them."""
    encoded = pyarrow.array(["x", "y"]).dictionary_encode()
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": encoded, "label": encoded}), path)
    table = sources.read_table(path, COLUMNS)
    assert sources.texts(table, "text") == ["x", "y"]
    assert table.columns["label"].to_pylist() == ["x", "y"]


def test_splits_of_a_folder(tmp_path: Path) -> None:
    """Shards are joined in order, other files are passed over, split names have variants."""
    for name in ("train-00001-of-00002.csv", "train-00000-of-00002.csv", "test.csv", "dev.csv", "unsupervised.csv"):
        write(tmp_path / name)
    (tmp_path / "README.md").write_text("train")
    files = sources.local_files(tmp_path)
    assert list(files) == ["train", "validation", "test"]
    assert [file.name[:11] for file in files["train"]] == ["train-00000", "train-00001"]


def test_folder_in_a_folder(tmp_path: Path) -> None:
    """A clone of a hub repository keeps its tables one level down."""
    write(tmp_path / "plain_text" / "train-00000-of-00001.parquet")
    assert list(sources.local_files(tmp_path)) == ["train"]


def test_one_table_is_the_training_split(tmp_path: Path) -> None:
    """Whatever its name."""
    path = write(tmp_path / "mine.csv")
    assert sources.local_files(path) == {"train": [path]}


def test_paths_which_cannot_be(tmp_path: Path) -> None:
    """Nothing there, no table, or no training table."""
    with pytest.raises(DataError, match="no such file or folder"):
        sources.local_files(tmp_path / "none")
    with pytest.raises(DataError, match=r"no train table \(no table of any split found\)"):
        sources.local_files(tmp_path)
    write(tmp_path / "test.csv")
    with pytest.raises(DataError, match=r"no train table \(splits found: test\)"):
        sources.local_files(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(DataError, match=r"is no table: allowed are \.parquet, \.csv"):
        sources.local_files(tmp_path / "notes.txt")


def test_unknown_column_gets_the_nearest(tmp_path: Path) -> None:
    """The line lists the columns."""
    path = write(tmp_path / "t.csv")
    with pytest.raises(DataError) as caught:
        sources.read_table(path, ("txt", "label"))
    assert str(caught.value) == f"data '{path}': unknown column 'txt': allowed are text, label; did you mean 'text'?"


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.csv.gz"])
def test_damaged_tables_are_one_line(tmp_path: Path, name: str) -> None:
    """Truncated and empty files name themselves."""
    path = write(tmp_path / name)
    broken = {"t.csv": b"", "t.jsonl": b'{"text": "go'}.get(name, path.read_bytes()[:-10])
    path.write_bytes(broken)
    with pytest.raises(DataError) as caught:
        sources.read_table(path, COLUMNS)
    assert str(caught.value).startswith(f"data '{path}' cannot be read: ")
    assert "\n" not in str(caught.value)


def test_text_which_is_none(tmp_path: Path) -> None:
    """A missing text names its row, another type its column."""
    path = write_jsonl(tmp_path / "t.jsonl", COLUMNS, [("a", 0), (None, 1)])
    with pytest.raises(DataError, match="column 'text' has no text in row 2"):
        sources.texts(sources.read_table(path, COLUMNS), "text")
    path = write_parquet(tmp_path / "t.parquet", COLUMNS, [(1, 0), (2, 1)])
    with pytest.raises(DataError, match="column 'text' holds int64: text is needed"):
        sources.texts(sources.read_table(path, COLUMNS), "text")


def test_hashes_follow_contents(tmp_path: Path) -> None:
    """Another place is the same source; another row is another one."""
    first, second = (write(tmp_path / name / "train.csv") for name in ("a", "b"))
    assert sources.local(first.parent, COLUMNS).hashes == sources.local(second.parent, COLUMNS).hashes
    write_csv(second, COLUMNS, [*ROWS, ("new", 1)])
    assert sources.local(first.parent, COLUMNS).hashes != sources.local(second.parent, COLUMNS).hashes


def test_missing_table_hash_is_an_error(tmp_path: Path) -> None:
    """A file which vanishes meanwhile is named."""
    with pytest.raises(DataError, match="cannot be read"):
        sources.file_hash(tmp_path / "gone.csv")


def test_hub_sets_are_loaded_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits come in order, without progress bars, which are switched on again."""
    import datasets

    bars = []

    def fetch(repository: str) -> datasets.DatasetDict:
        bars.append(datasets.are_progress_bars_disabled())
        made = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1], "extra": [0, 0]})
        return datasets.DatasetDict({"test": made, "train": made, "unsupervised": made})

    monkeypatch.setattr(datasets, "load_dataset", fetch)
    before = datasets.are_progress_bars_disabled()
    source = sources.hub("stanfordnlp/imdb", COLUMNS)
    tables = source.read()
    assert list(tables) == ["train", "test"]
    assert sources.texts(tables["train"][0], "text") == ["a", "b"]
    assert list(tables["train"][0].columns) == ["text", "label"]
    assert source.hashes["train"] == source.hashes["test"]
    assert bars == [True]
    assert datasets.are_progress_bars_disabled() == before


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to set."""
    import datasets

    def refuse(repository: str) -> None:
        raise ConnectionError(f"Couldn't reach '{repository}' on the Hub\ntrace")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError) as caught:
        sources.hub("stanfordnlp/snli", COLUMNS)
    assert str(caught.value).startswith("data: cannot fetch stanfordnlp/snli from the Hugging Face hub (Couldn't reach")
    assert str(caught.value).endswith("set the data path to a local folder with train and test tables")
    assert "\n" not in str(caught.value)
