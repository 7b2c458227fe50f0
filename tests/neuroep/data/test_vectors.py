"""Word vectors from files of every format, and damaged ones."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from neuroep.data import vectors as word_vectors
from neuroep.errors import DataError
from tests.neuroep.data.files import WORDS, write_text_vectors


def keyed(table: np.ndarray):
    """Return gensim vectors of ``WORDS``."""
    from gensim.models import KeyedVectors

    made = KeyedVectors(table.shape[1])
    made.add_vectors(list(WORDS), table)
    return made


def write(folder: Path, table: np.ndarray, form: str) -> Path:
    """Write the vectors in one of the formats."""
    path = folder / form
    if form.startswith("glove"):
        return write_text_vectors(path, table, header=False)
    if form.endswith(".kv"):
        keyed(table).save(str(path))
    else:
        keyed(table).save_word2vec_format(str(path), binary=".bin" in form)
    return path


@pytest.mark.parametrize("form", ["w.kv", "w.bin", "w.bin.gz", "w.txt", "w.txt.gz", "w.vec", "glove.txt", "nameless"])
def test_every_format_gives_the_same_table(tmp_path: Path, table: np.ndarray, form: str) -> None:
    """The format is found from the contents, whatever the file is called."""
    path = write(tmp_path, table, form)
    rows, found = word_vectors.read(word_vectors.locate(path))
    order = [rows[word] for word in WORDS]
    np.testing.assert_allclose(found[order], table, rtol=1e-6)


def test_large_kv_files_keep_their_arrays_beside_them(tmp_path: Path, table: np.ndarray) -> None:
    """The fingerprint of a .kv file covers the arrays next to it."""
    path = tmp_path / "w.kv"
    keyed(table).save(str(path), separately=["vectors"])
    before = word_vectors.fingerprint(path)
    np.testing.assert_array_equal(word_vectors.read(path).table, table)
    np.save(tmp_path / "w.kv.vectors.npy", table + 1)
    assert word_vectors.fingerprint(path) != before


def damaged(folder: Path, table: np.ndarray, fault: str) -> Path:
    """Write a file with a fault."""
    path = folder / fault
    if fault.startswith("truncated"):
        whole = write(folder, np.tile(table, (1, 50)), "whole" + fault.removeprefix("truncated")).read_bytes()
        path.write_bytes(whole[: int(0.7 * len(whole))])
    elif fault == "garbage.bin":
        path.write_bytes(np.random.default_rng(0).bytes(4000))
    elif fault == "garbage.bin.gz":
        path.write_bytes(b"no gzip at all")
    elif fault == "empty.txt":
        path.write_bytes(b"")
    elif fault == "prose.txt":
        path.write_text("These are not word vectors.\nNot at all.\n")
    elif fault == "short row.txt":
        path.write_text("2 3\nthe 1 2 3\nfilm 1 2\n")
    elif fault == "pickle.kv":
        path.write_bytes(pickle.dumps({"the": [1.0]}))
    elif fault == "garbage.kv":
        path.write_bytes(b"garbage")
    return path


@pytest.mark.parametrize(
    "fault",
    [
        *("truncated.bin", "truncated.bin.gz", "truncated.txt", "garbage.bin", "garbage.bin.gz"),
        *("empty.txt", "prose.txt", "short row.txt", "pickle.kv", "garbage.kv"),
    ],
)
def test_unreadable_files_are_one_line(tmp_path: Path, table: np.ndarray, fault: str) -> None:
    """The line names the file."""
    path = damaged(tmp_path, table, fault)
    with pytest.raises(DataError) as caught:
        word_vectors.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", ["w.kv", "w.bin", "w.txt"])
def test_values_which_are_not_finite_are_refused(tmp_path: Path, table: np.ndarray, form: str, value: float) -> None:
    """The line names the first such word."""
    table[4, 1] = value
    with pytest.raises(DataError, match="the vector of 'bad' has NaN or infinite values"):
        word_vectors.read(write(tmp_path, table, form))


@pytest.mark.parametrize("header", ["10 0", "0 10"])
def test_nothing_is_of_size_zero(tmp_path: Path, header: str) -> None:
    """Neither words nor dimensions may be missing."""
    path = tmp_path / "w.txt"
    path.write_text(f"{header}\n")
    with pytest.raises(DataError, match="both must be at least 1"):
        word_vectors.read(path)


def test_empty_kv_is_refused(tmp_path: Path) -> None:
    """gensim can save vectors without a word."""
    from gensim.models import KeyedVectors

    path = tmp_path / "w.kv"
    KeyedVectors(3).save(str(path))
    with pytest.raises(DataError, match="0 words"):
        word_vectors.read(path)


def test_missing_files_are_told_from_names(tmp_path: Path) -> None:
    """A path never goes to the network."""
    for missing in (tmp_path / "none.bin", "none.bin.gz", "some/where"):
        with pytest.raises(DataError, match=r"no such file$"):
            word_vectors.locate(missing)
    with pytest.raises(DataError, match="is a folder"):
        word_vectors.locate(tmp_path)


def test_names_are_fetched_by_gensim(
    tmp_path: Path, table: np.ndarray, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The downloader's file is read like any other, and its progress is not shown."""
    import gensim.downloader

    path = write(tmp_path, table, "w.bin.gz")

    def fetch(name: str, return_path: bool) -> str:
        print(f"downloading {name} {return_path}")
        return str(path)

    monkeypatch.setattr(gensim.downloader, "load", fetch)
    assert word_vectors.locate("glove-wiki-gigaword-50") == path
    path.unlink()
    with pytest.raises(DataError, match=r"its download at .* is incomplete"):
        word_vectors.locate("glove-wiki-gigaword-50")
    assert capfd.readouterr().out == ""


def test_no_file_and_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Both are named, nothing is logged."""
    import gensim.downloader

    def refuse(name: str, return_path: bool) -> str:
        gensim.downloader.logger.error("no network")
        raise OSError("no network\nat all")

    monkeypatch.setattr(gensim.downloader, "load", refuse)
    with pytest.raises(DataError) as caught:
        word_vectors.locate("word2vec-google-news-300")
    cause = "no such file, and gensim's downloader cannot fetch it (no network)"
    assert str(caught.value) == f"vectors 'word2vec-google-news-300': {cause}"
    assert capfd.readouterr() == ("", "")


def test_fingerprint_follows_contents_not_names(tmp_path: Path, table: np.ndarray) -> None:
    """A copy has the same hash; another file has another."""
    first = write(tmp_path, table, "a.txt")
    second = tmp_path / "b.txt"
    second.write_bytes(first.read_bytes())
    assert word_vectors.fingerprint(first) == word_vectors.fingerprint(second)
    second.write_bytes(gzip.compress(first.read_bytes()))
    assert word_vectors.fingerprint(first) != word_vectors.fingerprint(second)


@pytest.mark.parametrize(("error", "line"), [(OSError("one\ntwo"), "one"), (EOFError(), "EOFError")])
def test_errors_are_cut_to_a_line(error: Exception, line: str) -> None:
    """An error without text is named by its type."""
    assert word_vectors.one_line(error) == line


GLOVE = "good 1 2 3\nbad 4 5 6\nfilm 7 8 9\n"
BINARY = b"3 3\n" + b"".join(
    word + b" " + np.array(row, "<f4").tobytes()
    for word, row in ((b"good", (1, 2, 3)), (b"bad", (4, 5, 6)), (b"film", (7, 8, 9)))
)


@pytest.mark.parametrize(
    "contents",
    [
        GLOVE,
        "3 3\n" + GLOVE,
        "\ufeff" + GLOVE,
        "\ufeff3 3\n" + GLOVE,
        "\n" + GLOVE.replace("\n", "\n\n"),
        GLOVE.replace(" ", "\t"),
        GLOVE.replace("good ", "good\t"),
        GLOVE.replace("\n", "\r\n"),
        GLOVE.replace("\n", " \n"),
        GLOVE.rstrip(),
        BINARY,
        "\ufeff".encode() + BINARY,
        BINARY.replace(b"bad", b"\nbad").replace(b"film", b"\nfilm") + b"\n",
    ],
)
def test_the_same_vectors_however_written(tmp_path: Path, contents: str | bytes) -> None:
    """A mark made the first word unknown, silently; blank lines and tabs were refused."""
    path = tmp_path / "w"
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    rows, table = word_vectors.read(path)
    assert list(rows) == ["good", "bad", "film"]
    assert table.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize("header", ["", "7 3\n"])
@pytest.mark.parametrize("first", [". . .", "1", "good"])
def test_words_with_blanks(tmp_path: Path, header: str, first: str) -> None:
    """The last numbers of a line are the vector, wherever such a word stands; a word may be a number."""
    others = {". . .", "1", "good", "at name@domain.com", "\u00a0", "\x85", "\u2028"} - {first}
    words = [first, *sorted(others)]
    (tmp_path / "w.txt").write_bytes((header + "".join(f"{w} {n} 2 3\n" for n, w in enumerate(words))).encode())
    rows, table = word_vectors.read(tmp_path / "w.txt")
    assert list(rows) == words
    assert table[:, 0].tolist() == list(range(7))


@pytest.mark.parametrize(
    ("contents", "line"),
    [
        (GLOVE + "dog 1 2\n", "line 4 holds 2 numbers after its word, not 3"),
        (GLOVE + "\ndog 1 2 3 4\n", "line 5 holds 4 numbers after its word, not 3"),
        (GLOVE + "dog 1 2_0 3\n", "line 4 holds '2_0' where a number is needed"),
        (GLOVE + "dog 1 x 3\n", "line 4 holds 'x' where a number is needed"),
        (GLOVE + "1 2 3\n", "line 4 holds 2 numbers after its word"),
        ("3 3\ngood 1 2\nbad 1 2 3\nfilm 1 2 3\n", "line 2 holds 2 numbers after its word, not 3"),
        ("# by hand\n" + GLOVE, "line 1 holds 0 numbers"),
        ("4 3\n" + GLOVE, "truncated: its header says 4 words, it has 3"),
        ("2 3\n" + GLOVE, "line 4 is one more than the 2 words of its header"),
        ("999999999999 300\n", "truncated: its header says 999999999999 words"),
        (GLOVE + "dog 1e39 0 0\n", "the vector of 'dog' has NaN or infinite values"),
        (BINARY[:-1], "truncated: "),
        (BINARY + b"dog ", "bytes follow the 3 words"),
        (b"99999999 99999\n" + BINARY, "truncated: its header says 99999999 words of dimension 99999"),
        (b"3 3\n" + b"\x01" * 100_000, "word 1 has more than 65536 letters"),
        (GLOVE.encode("utf-16"), "it is UTF-16 text"),
    ],
)
def test_faults_of_vectors_name_their_line(tmp_path: Path, contents: str | bytes, line: str) -> None:
    """A header is believed only where the file agrees; it was cut short, or read as less, silently."""
    (tmp_path / "w.bin").write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(DataError, match=line) as caught:
        word_vectors.read(tmp_path / "w.bin")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("contents", [GLOVE + "good 9 9 9\n", "4 3\n" + GLOVE + "good 9 9 9\n"])
def test_first_vector_of_a_word_counts(tmp_path: Path, contents: str, caplog: pytest.LogCaptureFixture) -> None:
    """A word that comes again is left out, and said."""
    (tmp_path / "w.txt").write_text(contents)
    rows, table = word_vectors.read(tmp_path / "w.txt")
    assert (list(rows), table[0].tolist()) == (["good", "bad", "film"], [1, 2, 3])
    assert "1 rows repeat a word" in caplog.text
    double = BINARY.replace(b"3 3", b"4 3") + b"good " + np.array([9, 9, 9], "<f4").tobytes()
    (tmp_path / "w.bin").write_bytes(double)
    rows, table = word_vectors.read(tmp_path / "w.bin")
    assert (list(rows), table[0].tolist(), len(table)) == (["good", "bad", "film"], [1, 2, 3], 3)


@pytest.mark.parametrize("line", ["  9 9 9", " 9 9 9", "\t9 9 9"])
def test_word_that_is_blank(tmp_path: Path, line: str) -> None:
    """Some public files have a blank for a word; no token is blank, and the other words are read."""
    (tmp_path / "w.vec").write_text(f"4 3\n{GLOVE}{line}\n")
    rows, table = word_vectors.read(tmp_path / "w.vec")
    assert list(rows) == ["good", "bad", "film", ""]
    assert table[3].tolist() == [9, 9, 9]


def test_a_name_of_a_file_is_enough(tmp_path: Path, table: np.ndarray) -> None:
    """Before, a text was an AttributeError."""
    path = write(tmp_path, table, "w.txt")
    np.testing.assert_array_equal(word_vectors.read(str(path)).table, word_vectors.read(path).table)
    assert word_vectors.fingerprint(str(path)) == word_vectors.fingerprint(path)


@pytest.mark.parametrize(
    ("contents", "line"),
    [
        ("good 1 2\rbad 1 3\r", "line 1 holds a carriage return"),
        ("2 2\rgood 1 2\rbad 1 3\r", "line 1 holds a carriage return"),
        ("good 1 2\nbad 1 3\rfilm 1 2\n", "line 2 holds a carriage return"),
        ("good 1 2\nbad 1\n", "line 2 holds 1 numbers after its word, not 2"),
        ("bad 1\ngood 1 2\n", "line 2 holds 2 numbers after its word, not 1"),
        ("good 0x1 2\nbad 1 2\n", "line 1 holds '0x1' where a number is needed"),
        ("good,1,2\nbad,1,2\n", "its first line is separated by commas"),
    ],
)
def test_the_right_line_is_blamed(tmp_path: Path, contents: str, line: str) -> None:
    """Before, carriage returns joined words to one, and the shorter of two lines was taken for the right one."""
    (tmp_path / "w.txt").write_bytes(contents.encode())
    with pytest.raises(DataError, match=line):
        word_vectors.read(tmp_path / "w.txt")


@pytest.mark.parametrize("contents", ["good 1 2\n\t3 4\n", "good 1 2\n 3 4\n 5 6\n 7 8\n"])
def test_rows_with_a_blank_for_a_word_decide_no_dimension(tmp_path: Path, contents: str) -> None:
    """Before, they counted with one number less and the other rows were refused."""
    (tmp_path / "w.txt").write_text(contents)
    rows, table = word_vectors.read(tmp_path / "w.txt")
    assert table[rows["good"]].tolist() == [1, 2] and table[rows[""]].tolist() == [3, 4]
