"""Nothing that others wrote becomes a tag."""

from __future__ import annotations

from analysis.drawing import html

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
    assert '<td>a</td><td class="n">1</td>' in text and '<tr class="best"><td>b</td>' in text
