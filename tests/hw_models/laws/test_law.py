"""What the description of a chip takes from the laws: names, meanings, and which fields act with which."""

from __future__ import annotations

import pytest

from hw_models.chip import Chip
from hw_models.errors import ChipError
from hw_models.laws import law
from hw_models.laws.read_noise import READ_NOISE


class _Plain(law.Law):
    name, equation = "plain", "y = x"


class _Bent(law.Law):
    name, equation, takes = "bent", "y = x^2", {"bend": "the bend"}


LAWS = law.registry(_Plain(), _Bent())


def test_registry_menu_and_meanings():
    assert list(LAWS) == ["plain", "bent"]
    assert law.menu(LAWS) == "plain: y = x; bent: y = x^2."
    assert law.meaning(LAWS, "bend") == "bent: the bend."
    assert law.taken(LAWS) == ["bend"]
    assert list(law.missing(LAWS, LAWS["plain"])) == [("bend", "bent")]
    assert list(law.missing(LAWS, LAWS["bent"])) == []


@pytest.mark.parametrize(("names", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_either(names, text):
    assert law.either(names) == text


def test_a_chip_offers_the_laws_there_are():
    for name in READ_NOISE:
        assert Chip.parse({"device": {"read_noise": 0.1, "read_noise_law": name}}).device.noise is READ_NOISE[name]
        assert f"{name}: {READ_NOISE[name].equation}" in Chip.settings()["device.read_noise_law"].description
    with pytest.raises(ChipError, match="did you mean 'additive'"):
        Chip.parse({"device": {"read_noise": 0.1, "read_noise_law": "aditive"}})


def test_a_field_of_another_law_is_refused():
    with pytest.raises(ChipError, match=r"read_time = 1.0: it acts only with read_noise_law pcm"):
        Chip.parse({"device": {"read_noise": 0.1, "read_noise_law": "sqrt", "read_time": 1.0}})
