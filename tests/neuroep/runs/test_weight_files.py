"""Files of weights: what is read, what is refused in one line, and that nothing in them is executed."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from neuroep.errors import CheckpointError
from neuroep.runs import weight_files

torch = pytest.importorskip("torch")
HELD = {"a.weight": np.arange(6.0, dtype=np.float32).reshape(2, 3), "a.bias": np.ones(2, dtype=np.float32)}


def save(path, held: dict) -> None:
    """Write a file of the kind that its ending says."""
    if path.suffix == ".npz":
        np.savez(path, **held)
        return
    tensors = {name: torch.as_tensor(value) for name, value in held.items()}
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(tensors, path)
    else:
        torch.save(tensors, path)


@pytest.mark.parametrize("kind", ["w.npz", "w.safetensors", "w.pt", "w.PTH"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_kinds_hold_the_same(tmp_path, kind, dtype):
    save(tmp_path / kind, HELD)
    found = weight_files.read(tmp_path / kind)
    assert set(found) == set(HELD)
    for name, value in HELD.items():
        assert weight_files.shape_of(found[name]) == value.shape
        array = weight_files.array("w", name, found[name], dtype)
        np.testing.assert_array_equal(array, value)
        assert array.dtype == dtype and array.flags.owndata


@pytest.mark.parametrize("kind", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats(tmp_path, kind, dtype):
    """Bfloat16 too, which NumPy does not know."""
    save(tmp_path / kind, {"a": torch.tensor([0.1, -2.0], dtype=dtype)})
    array = weight_files.array("w", "a", weight_files.read(tmp_path / kind)["a"], "float32")
    np.testing.assert_array_equal(array, torch.tensor([0.1, -2.0], dtype=dtype).float().numpy())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_of_wrappers_are_taken_off(tmp_path, prefix):
    save(tmp_path / "w.npz", {prefix + name: value for name, value in HELD.items()})
    assert set(weight_files.read(tmp_path / "w.npz")) == set(HELD)


def test_a_prefix_of_some_names_stays(tmp_path):
    save(tmp_path / "w.npz", {"module.a": HELD["a.bias"], "b": HELD["a.bias"]})
    assert set(weight_files.read(tmp_path / "w.npz")) == {"module.a", "b"}


class Evil:
    """Something that acts when it is unpickled."""

    def __reduce__(self):
        return (print, ("executed",))


def test_nothing_is_executed(tmp_path, capsys):
    torch.save({"a": Evil()}, tmp_path / "w.pt")
    np.savez(tmp_path / "w.npz", a=np.array([Evil()], dtype=object))
    for name in ("w.pt", "w.npz"):
        with pytest.raises(CheckpointError, match="holds objects, which are never loaded"):
            weight_files.read(tmp_path / name)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["w.npz", "w.safetensors", "w.pt"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_files_cut_short(tmp_path, kind, share):
    path = tmp_path / kind
    save(path, HELD)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError) as found:
        weight_files.read(path)
    assert kind in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("kind", ["w.npz", "w.safetensors", "w.pt"])
@pytest.mark.parametrize("held", [b"hello world\n", b"PK\x03\x04", b"\x93NUMPY\x01\x00", bytes(range(256)) * 9])
def test_files_of_another_kind(tmp_path, kind, held):
    (tmp_path / kind).write_bytes(held)
    with pytest.raises(CheckpointError) as found:
        weight_files.read(tmp_path / kind)
    assert "\n" not in str(found.value) and len(str(found.value)) < 500


def member(shape: str) -> bytes:
    """An NPY file whose header claims a shape, and nothing behind it."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (117 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize("shape", ["(10**6, )", "(1000000, 1000000, 1000000)", f"({2**64},)", "(((((", "(-3, 2)"])
def test_headers_that_claim_what_cannot_be(tmp_path, shape):
    """Sizes beyond all memory, or beyond whole numbers of the machine, and a header without an end."""
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", member(shape))
    with pytest.raises(CheckpointError) as found:
        weight_files.read(tmp_path / "w.npz")
    assert "w.npz' " in str(found.value) and "\n" not in str(found.value)


def test_encrypted_members(tmp_path):
    np.savez(tmp_path / "w.npz", **HELD)
    whole = bytearray((tmp_path / "w.npz").read_bytes())
    place = whole.index(b"PK\x01\x02")
    whole[place + 8] |= 1
    (tmp_path / "w.npz").write_bytes(bytes(whole))
    with pytest.raises(CheckpointError, match=r"w\.npz' cannot be read: .* encrypted"):
        weight_files.read(tmp_path / "w.npz")


def test_what_is_larger_than_memory_once_it_is_unpacked(tmp_path, monkeypatch):
    """Two megabytes of zeros, in two kilobytes."""
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(2**19, dtype=np.float32))
    monkeypatch.setattr(weight_files, "physical_memory", lambda: 2**20)
    with pytest.raises(CheckpointError, match=r"w\.npz' holds 2,097,280 bytes unpacked: the memory of this machine is"):
        weight_files.read(tmp_path / "w.npz")
    monkeypatch.setattr(weight_files, "physical_memory", lambda: None)
    assert set(weight_files.read(tmp_path / "w.npz")) == {"a"}


@pytest.mark.parametrize("names", [("a.npy", "a.npy"), ("a.npy", "a")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name(tmp_path, names):
    """The last one would be taken, and the other be lost without a word."""
    file = io.BytesIO()
    np.save(file, HELD["a.bias"])
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        for name in names:
            archive.writestr(name, file.getvalue())
    torch.save({1: torch.ones(2), "1": torch.zeros(2)}, tmp_path / "w.pt")
    for kind, name in (("w.npz", "a"), ("w.pt", "1")):
        with pytest.raises(CheckpointError, match=rf"{kind}' holds two tensors named '{name}'"):
            weight_files.read(tmp_path / kind)


def test_a_text_is_no_pickle(tmp_path):
    (tmp_path / "w.npz").write_text("hello")
    with pytest.raises(CheckpointError, match=r"w\.npz' is no NPZ file$"):
        weight_files.read(tmp_path / "w.npz")


def test_a_tensor_whose_sign_is_still_to_be_turned(tmp_path):
    turned = torch.tensor([1 + 2j, 3 - 4j]).conj().imag
    assert turned.is_neg()
    torch.save({"a": turned}, tmp_path / "w.pt")
    array = weight_files.array("w", "a", weight_files.read(tmp_path / "w.pt")["a"], "float32")
    np.testing.assert_array_equal(array, [-2.0, 4.0])


def test_one_array_without_a_name(tmp_path):
    with open(tmp_path / "w.npz", "wb") as file:
        np.save(file, HELD["a.bias"])
    with pytest.raises(CheckpointError, match=r"holds one array without a name: save it with numpy\.savez$"):
        weight_files.read(tmp_path / "w.npz")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (np.array([1, 2]), "a is of int64: weights are floating-point numbers"),
        (np.array([True]), "a is of bool: weights are floating-point numbers"),
        (np.array([1j]), "a is of complex128: weights are floating-point numbers"),
        (np.array(["x"]), "a is of <U1: weights are floating-point numbers"),
        (torch.tensor([1, 2]), "a is of int64: weights are floating-point numbers"),
        (torch.tensor([1j]), "a is no plain tensor of real numbers"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "a is quantised: save the dequantised weights"),
        (np.array([1.0, np.nan, np.inf]), "2 of 3 numbers of a are not finite"),
        (torch.tensor([1.0, np.nan]), "a is not finite"),
        (np.array([1.0, 1e300]), "1 of 2 numbers of a are not finite in float32, the run's engine.dtype"),
        (torch.tensor([1.0, 1e300], dtype=torch.float64), "1 of 2 numbers of a are not finite in float32, the run's"),
        ({"b": 1}, "a is {'b': 1}, no tensor"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_weights(value, line):
    with pytest.raises(CheckpointError) as found:
        weight_files.array("w.npz", "a", value, "float32")
    assert str(found.value).startswith(f"'w.npz': {line}") and "\n" not in str(found.value)


@pytest.mark.parametrize("value", [np.array([1.0, 1e300]), torch.tensor([1.0, 1e300], dtype=torch.float64)])
def test_what_double_precision_holds_is_finite_in_it(value):
    assert weight_files.array("w.npz", "a", value, "float64").tolist() == [1.0, 1e300]
