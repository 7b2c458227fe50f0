"""Files that are no text: one line says what each is, and how its table becomes a CSV."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.file_text import text_of
from neuroep.cli import main


def zipped(**members: str) -> bytes:
    """Return a ZIP archive of members, ``__`` for a slash and ``DOT`` for a point."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in members.items():
            file.writestr(name.replace("__", "/").replace("DOT", "."), text)
    return buffer.getvalue()


EXCEL = "an Excel workbook (.xlsx): open its sheet in Excel and take File > Save"
BINARY = {
    "a.xlsx": (zipped(xl__workbookDOTxml="x"), EXCEL),
    "b.csv": (zipped(xl__workbookDOTxml="x"), EXCEL),
    "a.ods": (
        zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet", contentDOTxml="x"),
        "an OpenDocument sheet (.ods): open its sheet in LibreOffice",
    ),
    "a.zip": (zipped(pulsesDOTcsv="x"), "a ZIP archive: unpack it and give the CSV files within"),
    "c.csv": (zipped(conductanceDOTnpy="x"), "it holds arrays of NumPy: name it .npz"),
    "a.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20), "an Excel workbook of the old kind (.xls)"),
    "a.mat": (b"MATLAB 5.0 MAT-file, Platform: PCWIN64" + bytes(90), "a MATLAB file (.mat): in MATLAB write its table"),
    "b.mat": (bytes([0, 0, 0, 0, 5, 0, 0, 0]), "a MATLAB file (.mat) of the old kind"),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file (.h5, or .mat of MATLAB 7.3): in Python write its table"),
    "a.tdms": (b"TDSm\x0e\x00\x00\x00", "a TDMS file of LabVIEW: save it as CSV there"),
    "a.opj": (b"CPYA 4.3227 552#\n", "an Origin project: in Origin take File > Export > ASCII"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + bytes(9), "a PNG picture: save the numbers behind it as CSV"),
    "d.csv": (b"\xff\xd8\xff\xe0" + bytes(9), "a JPEG picture"),
    "a.bmp": (b"BM6\x00\x0c\x00", "a BMP picture"),
    "a.pdf": (b"%PDF-1.7\n", "a PDF"),
    "a.pkl": (b"\x80\x04\x95\x00", "a pickle of Python, which is never opened as it may run code"),
    "a.parquet": (b"PAR1\x15\x04", "a Parquet file"),
    "a.gz": (b"\x1f\x8b\x08\x00", "a gzip archive"),
    "e.csv": (b"time,g\n1,\x00\x01", "no text but a binary file: export its table as CSV"),
    "a.html": (b"<!DOCTYPE html><table>", "a page of HTML"),
}


@pytest.mark.parametrize("name", BINARY)
def test_one_line_says_what_a_file_is(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(BINARY[name][0])
    assert main(["fit", str(path), "--out", str(tmp_path / "a.toml")]) == 2
    error = capsys.readouterr().err
    assert BINARY[name][1] in error
    assert error.count("\n") == 1 and error.count(name) == 1
    assert not (tmp_path / "a.toml").exists()


def test_text_of_another_name_is_told_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    path.write_text("time,g\n1,2\n")
    assert main(["fit", str(path), "--out", str(tmp_path / "a.toml")]) == 2
    assert "a file named .csv, .tsv, .txt, .dat or .npz is needed" in capsys.readouterr().err


def test_text_in_the_encodings_of_instruments(tmp_path: Path) -> None:
    path, text = tmp_path / "a.csv", "device,pulse,G (\N{MICRO SIGN}S)\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding=encoding)
        assert text_of(path) == (text, ())
    path.write_text(text, encoding="cp1252")
    assert text_of(path) == (text, ("It is no UTF-8 text, and was read as Windows-1252.",))
    path.write_text("BM,time\n", encoding="utf-8")  # no picture
    assert text_of(path)[0].startswith("BM")
    path.write_bytes("ab".encode("utf-16") + b"x")
    with pytest.raises(ChipError, match="it is no whole UTF-16 text"):
        text_of(path)


def test_an_array_alone_is_asked_for_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(3))
    with pytest.raises(ChipError, match=r"one NumPy array without names \(\.npy\): save arrays by name, numpy\.savez"):
        text_of(tmp_path / "a.npy")
