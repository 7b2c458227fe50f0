"""The text of a file of measurements, or one line that says what the file is instead and how its table becomes text.

Instruments and programs keep measurements in formats of their own. Their first bytes tell them, whatever the name of
the file; the line says what to do where the table is: no such format is read here.
"""

from __future__ import annotations

import zipfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from pathlib import Path

from hw_models.errors import ChipError

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".npz")
"""Of files that are read."""
BEGIN = 520
"""Bytes that tell a format."""
EXCEL = "open its sheet in Excel and take File > Save As > 'CSV UTF-8', one sheet to a file"
CALC = "open its sheet in LibreOffice and take File > Save As > 'Text CSV', one sheet to a file"
MATLAB = "in MATLAB write its table with writematrix(x, 'name.csv'), or writetable for columns with names"
PYTHON = "in Python write its table with pandas, table.to_csv('name.csv', index=False)"
NUMBERS = "save the numbers behind it as CSV; a picture of a curve has to be read off first"
ZIPPED = "unpack it and give the CSV files within"
OWN = "export its table as CSV there"
SAVED: Mapping[bytes, tuple[str, str]] = {
    b"\xd0\xcf\x11\xe0": ("an Excel workbook of the old kind (.xls) or another Office file", EXCEL),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file (.h5, or .mat of MATLAB 7.3)", PYTHON),
    b"MATLAB 5.0 MAT-file": ("a MATLAB file (.mat)", MATLAB),
    b"MATLAB 7.3 MAT-file": ("a MATLAB file (.mat)", MATLAB),
    b"TDSm": ("a TDMS file of LabVIEW", "save it as CSV there, or with the Python package npTDMS"),
    b"CPYA": ("an Origin project", "in Origin take File > Export > ASCII"),
    b"CPYUA": ("an Origin project", "in Origin take File > Export > ASCII"),
    b"\x93NUMPY": ("one NumPy array without names (.npy)", "save arrays by name, numpy.savez, or as CSV"),
    b"PAR1": ("a Parquet file", PYTHON),
    b"ARROW1": ("an Arrow file", PYTHON),
    b"SQLite format 3": ("an SQLite data base", OWN),
    b"\x80\x04": ("a pickle of Python, which is never opened as it may run code", PYTHON),
    b"\x80\x05": ("a pickle of Python, which is never opened as it may run code", PYTHON),
    b"%PDF": ("a PDF", NUMBERS),
    b"\x89PNG": ("a PNG picture", NUMBERS),
    b"\xff\xd8\xff": ("a JPEG picture", NUMBERS),
    b"GIF8": ("a GIF picture", NUMBERS),
    b"BM": ("a BMP picture", NUMBERS),
    b"II*\x00": ("a TIFF picture", NUMBERS),
    b"MM\x00*": ("a TIFF picture", NUMBERS),
    b"<svg": ("an SVG picture", NUMBERS),
    b"<?xml": ("an XML file", OWN),
    b"<!DOCTYPE": ("a page of HTML", OWN),
    b"<html": ("a page of HTML", OWN),
    b"{\\rtf": ("a text with marks (RTF)", "save it as plain text"),
    b"\x1f\x8b": ("a gzip archive", ZIPPED),
    b"BZh": ("a bzip2 archive", ZIPPED),
    b"\xfd7zXZ": ("an xz archive", ZIPPED),
    b"7z\xbc\xaf": ("a 7z archive", ZIPPED),
    b"Rar!": ("a RAR archive", ZIPPED),
}
"""What files begin with that are no text: what they are, and what to do."""
ARCHIVE = b"PK\x03\x04"
"""What workbooks and ZIP archives begin with."""


def text_of(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, and a note where it is none in Unicode.

    Raises
    ------
    OSError
        If it cannot be opened.
    ChipError
        If it is no text; the line says what it is, and how its table is saved as CSV.
    """
    raw = path.read_bytes()
    begin = raw[:BEGIN]
    if begin[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
        try:
            return raw.decode("utf-16"), ()
        except UnicodeError:
            raise ChipError("it is no whole UTF-16 text: save it as UTF-8") from None
    if begin.startswith(ARCHIVE):
        raise ChipError(_archive(path))
    for start, (what, how) in SAVED.items():
        if begin.lstrip(b"\xef\xbb\xbf \r\n").startswith(start) and not (start == b"BM" and b"\0" not in begin):
            raise ChipError(f"it is {what}: {how}")
    if b"\0" in raw:
        if path.suffix.lower() == ".mat":
            raise ChipError(f"it is a MATLAB file (.mat) of the old kind: {MATLAB}")
        raise ChipError("it is no text but a binary file: export its table as CSV")
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeError:
        return raw.decode("cp1252", errors="replace"), ("It is no UTF-8 text, and was read as Windows-1252.",)


def _archive(path: Path) -> str:
    """Say which kind of file a ZIP archive is."""
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            kind = file.read("mimetype")[:60].decode("ascii", "replace") if "mimetype" in names else ""
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError):
        return f"it is a workbook or an archive: {EXCEL}"
    if any(name.startswith("xl/") for name in names):
        return f"it is an Excel workbook (.xlsx): {EXCEL}"
    if "opendocument" in kind:
        return f"it is an OpenDocument sheet (.ods): {CALC}"
    if names and all(name.endswith(".npy") for name in names):
        return "it holds arrays of NumPy: name it .npz"
    return f"it is a ZIP archive: {ZIPPED}"
