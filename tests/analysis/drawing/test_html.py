"""Nothing that others wrote becomes a tag."""

from __future__ import annotations

import re

from analysis.drawing import html, style

import pytest

HOSTILE = '<script>alert("1")</script>'


def test_everything_is_escaped() -> None:
    parts = [
        html.paragraph(HOSTILE),
        html.subtitle(HOSTILE),
        html.code(HOSTILE),
        html.link(HOSTILE),
        html.pairs([(HOSTILE, HOSTILE)]),
        html.table([HOSTILE], [[HOSTILE]]),
        html.details(HOSTILE),
        html.image(b"", HOSTILE),
        html.section(HOSTILE, "x"),
    ]
    text = html.document(HOSTILE, HOSTILE, parts)
    assert "<script" not in text and text.count("&lt;script&gt;") >= 12


def test_links_lead_to_the_web_or_nowhere() -> None:
    assert 'href="https://doi.org/10.1/x"' in html.link("10.1/x")
    assert "href" not in html.link("javascript:alert(1)")


def test_what_is_empty_is_left_out() -> None:
    assert html.section("title", "", "") == html.side_by_side("", "") == html.pairs([("name", "")]) == ""


def test_columns_of_words_and_of_numbers() -> None:
    text = html.table(["name", "size"], [["a", 1], ["b", 2]], best=1)
    assert '<th scope="col">name</th><th scope="col" class="n">size</th>' in text
    assert '<th scope="row">size</th>' in html.pairs([("size", 1)])
    assert '<td>a</td><td class="n">1</td>' in text and '<tr class="best"><td>b</td>' in text


def test_lines_end_behind_the_parts_of_a_long_name() -> None:
    broken = "device.<wbr>programming_<wbr>noise_<wbr>g_<wbr>max"
    name = broken.replace("<wbr>", "")
    assert broken in html.paragraph(name) and broken in html.points([name]) and broken in html.subtitle(name)
    assert "<wbr>" not in html.code(name) and f'alt="{name}"' in html.image(b"", name)
    assert "<wbr>" not in html.paragraph("legallo_2023_hermes")


def test_options_of_commands_stay_whole() -> None:
    """On a narrow screen a line ended between the two dashes, or behind a dash within."""
    text = "neuroep train x.toml --chip.device.programming_noise_g_max 3 --retry-failed"
    for shown in (html.paragraph(text), html.pairs([("settings given", text)]), html.code(text)):
        for option in ("--chip.device.programming_noise_g_max", "--retry-failed"):
            assert f'<span class="keep">{option}</span>' in shown
    assert "&lt;x&gt; <span" in html.paragraph("<x> --y") and ".keep { white-space: nowrap; }" in html.STYLE


def test_pairs_stand_below_each_other_on_narrow_screens() -> None:
    """An option that stays whole beside its name would be wider than a telephone."""
    assert '<table class="pairs">' in html.pairs([("settings given", "--chip pcm")])
    assert ".pairs tr, .pairs th, .pairs td { display: block; }" in html.STYLE.partition("@media (max-width")[2]


def test_names_stay_whole_in_a_table_and_texts_have_room() -> None:
    name, text = "device.programming_noise_g_max", 10 * "a word or "
    shown = html.table(["field", "meaning"], [[name, text]], words=(0, 1))
    assert f"<td>{name}</td>" in shown and '<td class="t">a word' in shown and "td.t { min-width" in html.STYLE


def test_boxes_scroll_by_keyboard_and_wide_pictures_too() -> None:
    assert '<div class="box" tabindex="0">' in html.table(["a"], [["b"]])
    assert '<figure class="wide" tabindex="0">' in html.image(b"", "wide", size=(html.WIDE + 1, 10))
    assert "<figure>" in html.image(b"", "small", size=(html.WIDE, 10)) and "<figure>" in html.image(b"", "none")


def test_a_picture_is_as_large_as_it_was_drawn() -> None:
    head = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR"
    png = head + (10 * style.DPI).to_bytes(4, "big") + (2 * style.DPI).to_bytes(4, "big")
    assert 'width="960" height="192"' in html.image(png, "ten inches") and "wide" in html.image(png, "ten inches")


def contrast(colour: str, ground: str = "#ffffff") -> float:
    """Return the contrast of two colours by WCAG 2.2."""
    light = sorted(_luminance(one) for one in (colour, ground))
    return (light[1] + 0.05) / (light[0] + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000") == pytest.approx(21.0) and contrast("#777777") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", [style.BLACK, style.GREY, style.RUST, style.BLUE])
def test_colours_of_text_in_pictures_can_be_read(colour: str) -> None:
    assert contrast(colour) >= 4.5


def test_colours_of_text_on_pages_can_be_read() -> None:
    colours = re.findall(r"[ ;{]color: (#[0-9a-f]+)", html.STYLE)
    assert len(colours) > 4
    grounds = ("#ffffff", "#fff6e0", "#f5f7f9", "#eaf4fb")
    assert all(contrast(colour, ground) >= 4.5 for colour in colours for ground in grounds)
