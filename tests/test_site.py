"""The documentation as a site: pages made from the code are whole, links lead somewhere, pictures have words."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from hw_models import Chip, presets
from hw_models.chip import effects as known
from hw_models.chip.rules import RULES
from hw_models.laws.pulse_response import PULSE_RESPONSES
from neuroep import cli
from neuroep.runs import overrides, sections
from site_pages import chips, drawn, effects, entries, legible, markdown, pictures, running, site

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MOST_WORDS = 900
"""Of the README."""
WRITTEN = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "generated" not in path.parts)
NAMES = ["../README.md", "../CONTRIBUTING.md", *WRITTEN]
GREEK = r"\\(?:sigma|tau|lambda|beta|theta|kappa|eta|xi|gamma|delta|varepsilon)\b"
WIDEST = 112
"""Letters of a line of a command that the page has room for."""
MADE = "made from the code"
"""All pages that are; they are not made while tests are collected."""
PIECES = {"generated/twins.md", "generated/made.md", "generated/tests.md"}
"""Of those, what other pages include."""
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.DOTALL | re.MULTILINE)
OUTSIDE = ("http://", "https://", "mailto:")
NUMBERS = {"eleven": len(RULES), "six": len(PULSE_RESPONSES), "sixteen": 16}
"""Counts that the README spells out."""


@cache
def made() -> dict[str, str]:
    """Return the pages made from the code by their path below docs."""
    return {f"generated/{name}": text for name, text in site.pages()}


@cache
def pages() -> dict[str, str]:
    """Return all pages by their path below docs, the README and what stands beside it by paths out of it."""
    return {name: (DOCS / name).read_text(encoding="utf-8") for name in NAMES} | made()


def group(name: str) -> dict[str, str]:
    """Return a page that was written, or all that are made from the code."""
    return made() if name == MADE else {name: pages()[name]}


def prose(text: str) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST name them."""
    heads = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_readme_is_short_and_counts_right() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= MOST_WORDS
    assert f"{'eleven'} rules" in text and "six pulse responses" in text and "Sixteen [presets]" in text
    assert {"eleven": 11, "six": 6, "sixteen": len(chips.own())} == NUMBERS


def test_the_readme_has_the_parts_of_a_first_look_in_order() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads == ["Two commands", "An example", "What is modelled", "What is not", "How to cite", "Links"]


@pytest.mark.parametrize("of", [*NAMES, MADE])
def test_links_lead_somewhere(of: str) -> None:
    targets = [(name, target) for name, text in group(of).items() for target in LINK.findall(prose(text))]
    for name, target in targets:
        if target.startswith(OUTSIDE):
            continue
        file, _, anchor = target.partition("#")
        path = (DOCS / name).parent / file if file else DOCS / name
        place = _below_docs(path)
        assert place in pages() or path.resolve().exists(), f"{name}: {target}"
        if anchor:
            assert anchor in anchors(pages()[place]), f"{name}: {target}"


def _below_docs(path: Path) -> str:
    resolved = path.resolve()
    inside = resolved.is_relative_to(DOCS)
    return resolved.relative_to(DOCS).as_posix() if inside else f"../{resolved.name}"


@pytest.mark.parametrize("of", [*NAMES, MADE])
def test_pictures_are_there_and_have_words(of: str) -> None:
    for name, text in group(of).items():
        for words, target in PICTURE.findall(text):
            assert len(words.split()) >= 3, f"{name}: {target}"
            assert ((DOCS / name).parent / target).resolve().is_file(), f"{name}: {target}"
        for figure in re.findall(r"```\{figure\}.*?```", text, re.DOTALL):
            assert re.search(r":alt: \S+ \S+", figure), f"{name}: {figure}"


@pytest.mark.parametrize("of", [*NAMES, MADE])
def test_headings_are_in_order(of: str) -> None:
    for name, text in group(of).items():
        levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.MULTILINE)]
        if ("{include}" in text and not levels) or name in PIECES:
            continue
        assert levels[0] == 1 and levels.count(1) == 1, name
        assert all(after <= before + 1 for before, after in pairwise(levels)), name


def test_every_page_is_in_the_navigation() -> None:
    inside = {"index.md", *PIECES}
    for name, text in pages().items():
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            lines = [line for line in tree.splitlines() if line and not line.startswith(":")]
            inside |= {_below_docs((DOCS / name).parent / f"{line.removesuffix('.md')}.md") for line in lines}
    assert {name for name in pages() if not name.startswith("../")} == inside


def test_every_field_of_a_chip_and_every_setting_has_an_entry() -> None:
    for name in Chip.settings():
        assert f"\n`{name}`\n" in made()["generated/fields.md"]
    for name in sections.settings(chip=False):
        assert f"\n`{name}`\n" in made()["generated/settings.md"]


def test_every_command_and_option_has_an_entry() -> None:
    text = made()["generated/commands.md"]
    for name, parser in cli.build_parser()[1].items():
        assert f"## neuroep {name}\n" in text
        for option, action in parser._option_string_actions.items():
            said = option not in running.UNSAID and action.help != argparse.SUPPRESS
            assert (f"\n`{option}" in text or f", {option}" in text) if said else True, option
    assert argparse.SUPPRESS not in text


def commands(text: str) -> list[list[str]]:
    """Return the words of the commands of neuroep on a page, without comments and what stands for more."""
    blocks = re.findall(r"^```(?:console|sh)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    said = [shlex.split(line, comments=True) for line in lines if line.strip().startswith("neuroep ")]
    return [[word.strip("[]") for word in words if word != "..."] for words in said]


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_pages_are_there(name: str) -> None:
    known = cli.build_parser()[1]
    for _, command, *words in commands(pages()[name]):
        if command.startswith("--"):
            continue
        parser = known[command]
        for option in (word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)):
            if option not in parser._option_string_actions:
                assert parser.settings, f"{name}: neuroep {command} {option}"
                overrides.dotted(option)


def test_every_rule_preset_and_component_is_told() -> None:
    assert all(f"## {name}\n" in made()["generated/rules.md"] for name in RULES)
    for name in chips.own():
        page = made()[f"generated/presets/{name}.md"]
        assert markdown.text(presets.load(name).citation) in page and "Return Chip" not in page
        assert all(f"`{field}`" in page for field in presets.load(name).differences())


@pytest.mark.parametrize("effect", known.EFFECTS, ids=lambda effect: effect.name)
def test_an_effect_is_told_in_full(effect: known.Effect) -> None:
    said = effects.words()[effect.name]
    assert len(said.silicon.split()) >= 8 and said.source and said.caption.endswith(".")
    importlib.import_module(said.code)
    assert said.picture in pictures.DRAWN
    assert effect.changes(drawn.drawings()[markdown.slug(effect.name)].chip), "the chip in the picture has the effect"
    page = made()[f"generated/effects/{markdown.slug(effect.name)}.md"]
    assert all(f"\n`{name}`\n" in page for name in known.fields(effect))


def test_only_effects_are_told() -> None:
    assert effects.words().keys() == {effect.name for effect in known.EFFECTS}
    assert {said.picture for said in effects.words().values()} == set(pictures.DRAWN) == effects.SEEN.keys()


def test_equations_are_mathematics() -> None:
    convert = pytest.importorskip("latex2mathml.converter").convert
    for name, said in effects.words().items():
        for part in (said.equation.strip(), *re.findall(r"\$([^$]+)\$", said.symbols)):
            shown = convert(part)
            assert shown.startswith("<math") and "\\" not in shown, (name, part)


def test_letters_of_an_equation_are_told_with_the_fields_they_stand_for() -> None:
    settings = (f"{part}.{leaf}" for part, own in sections.SECTIONS.items() for leaf in own.model_fields)
    fields = {*Chip.settings(), *settings}
    names = fields | {name.rpartition(".")[2] for name in fields}
    for name, said in effects.words().items():
        told, symbols = set(re.findall(r"`([^`]+)`", said.symbols)), re.sub(r"`[^`]+`", "", said.symbols)
        assert told <= names, (name, told - names)
        for letter in re.findall(GREEK, said.equation):
            assert letter in symbols, (name, letter)
        if "z" in re.findall(r"(?<![a-z\\])z\b", said.equation) and "z = V" not in said.equation:
            assert re.search(r"\$z(_[a-z])?\$", symbols), name


@pytest.mark.parametrize("name", ["levels", "drift", "dac-bits", "asymmetric-steps", "read-out-bits"])
def test_a_picture_is_drawn_by_the_code(name: str, tmp_path: Path) -> None:
    drawn.draw(name, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_pages_are_written_once_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "old.md").write_text("# Gone\n")
    first = site.write(tmp_path, draw=False)
    assert len(first) == len(made()) + len(drawn.drawings()) and not (tmp_path / "old.md").exists()
    assert (tmp_path / site.PICTURES / "levels.png").read_bytes() == drawn.BLANK
    assert site.write(tmp_path, draw=False) == []


def test_a_picture_is_drawn_again_only_when_it_would_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    monkeypatch.setattr(drawn, "draw", lambda name, path: (names.append(name), path.write_bytes(b"png")))
    assert len(drawn.draw_all(tmp_path)) == len(drawn.drawings()) == len(names) > len(known.EFFECTS)
    assert drawn.draw_all(tmp_path) == []
    (tmp_path / "levels.sum").write_text("another chip")
    assert drawn.draw_all(tmp_path) == [tmp_path / "levels.png"]


def test_what_a_page_would_fetch_is_told(tmp_path: Path) -> None:
    tags = [
        '<script src="https://cdn.example/x.js"></script>', '<link rel="stylesheet" href="//fonts.example/a.css">',
        '<img alt="x" src="http://a.example/b.png">',
    ]  # fmt: skip
    (tmp_path / "bad.html").write_text("\n".join(tags))
    (tmp_path / "bad.css").write_text("@import 'https://a.example/b.css'; a { background: url(https://a.example/b) }")
    (tmp_path / "good.html").write_text('<a href="https://arxiv.org">x</a><img src="a.png"><script src="b.js">')
    found = site.fetched(tmp_path)
    assert len(found) == 5 and not any(line.startswith("good") for line in found)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("s_i of ``name_x`` * 2 < 3", r"s\_i of `name_x` \* 2 \< 3"),
        ("see :mod:`hw_models.laws` and\n    :class:`~a.B`", "see `hw_models.laws` and `a.B`"),
        ("|p| costs 5$", r"\|p\| costs 5\$"),
    ],
)
def test_text_is_nothing_but_text(words: str, shown: str) -> None:
    assert markdown.text(words) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("run directory", "Run directory."),
        ("auto: choose", "Auto: choose."),
        ("with --until (short for --engine.kind).", "With `--until` (short for `--engine.kind`)."),
        ("HTML page, see docs/own_weights.md", r"HTML page, see [docs/own\_weights.md](../own_weights.md)."),
    ],
)
def test_help_is_a_sentence_with_links(words: str, shown: str) -> None:
    assert markdown.sentence(words) == shown


def test_docstrings_keep_their_equations_and_code() -> None:
    shown = markdown.docstring("About.\n\n    y = f(x) + 1\n\nMore\n    a  <-  b\n\n===  ===\na    b\n===  ===")
    assert "```python\ny = f(x) + 1\n```" in shown
    assert "More\n\n```text\na  <-  b\n```" in shown
    assert "```text\n===  ===\na    b\n===  ===\n```" in shown


def test_a_block_right_below_the_first_line_of_a_module_is_code() -> None:
    """All its lines are indented alike, so that they look like those of a function."""
    words = "Tables.\n\n    a.csv   numbers\n            and names\n    b.csv   seconds\n"
    assert markdown.docstring(words, within=False) == (
        "Tables.\n\n```text\na.csv   numbers\n        and names\nb.csv   seconds\n```"
    )
    assert "results.parquet varied" not in running.formats() and "\nresults.parquet   varied" in running.formats()


def test_no_line_of_a_table_ends_within_a_number() -> None:
    """A number stays with its deviation, its unit and that of another seed; text and code as they are."""
    for given, held in (
        ("| 77.1 +- 10.1 | 95.2 / 99.9 |", "| 77.1_+-_10.1 | 95.2_/_99.9 |"),
        ("| 64 +- 1 / 63 +- 2 | `1 +- 2` of 3 uJ, 2 of 40 |", "| 64_+-_1 / 63_+-_2 | `1 +- 2` of 3_uJ, 2_of 40 |"),
        ("1 +- 2 outside of a table", "1 +- 2 outside of a table"),
    ):
        shown = markdown.whole(f"| a | b |\n{given}\n").replace("-\N{WORD JOINER}", "-")
        assert shown.replace("\N{NO-BREAK SPACE}", "_") == f"| a | b |\n{held}\n"


@pytest.mark.parametrize("name", NAMES)
def test_commands_fit_their_box(name: str) -> None:
    """A longer line is broken where the box ends, within a word of the command."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```", pages()[name], re.DOTALL | re.MULTILINE):
        assert max(map(len, block.splitlines())) <= WIDEST, block


def test_indented_blocks_of_a_docstring_are_literal() -> None:
    lines = ["About.", "", "    y = f(x)", "", "More.", "    ", "Parameters", "----------", "x : int", "    What."]
    assert markdown.literal(lines) == [
        "About.", "", "", "::", "", "    y = f(x)", "", "More.", "", "Parameters", "----------", "x : int", "    What.",
    ]  # fmt: skip


def test_fences_are_longer_than_what_they_hold() -> None:
    assert markdown.fenced("```\nx\n```", "md") == "````md\n```\nx\n```\n````"
    assert markdown.slug("on/off ratio") == "on-off-ratio"


@pytest.mark.parametrize(
    ("given", "shown"),
    [(None, "unset"), ("", "empty"), (True, "`true`"), (2.5e-7, "`2.5e-07`"), ((), "`[]`"), ((1.0, 2.0), "`[1, 2]`")],
)
def test_values_are_those_of_a_file(given: object, shown: str) -> None:
    assert entries.value(given) == shown


def test_a_field_says_unit_default_moment_and_choices() -> None:
    term, (facts, meaning) = entries.field("device.read_noise_law")
    assert term == "`device.read_noise_law`" and "one of `additive`, `proportional`" in facts and "sigma" in meaning
    assert entries.field("device.g_max")[1][0] == "*default `25` [uS]; acts at every programming*"


NAMED = "chip.device.programming_noise"
ROW = f'<p>A word: 95.5 % of <code><span class="pre">{NAMED}</span></code>, 3 +- 1.0</p>'


def test_lines_of_the_site_end_where_no_word_does() -> None:
    shown = legible.page(f"<title>{NAMED}</title>{ROW}")
    assert "chip.<wbr>device.<wbr>programming_<wbr>noise" in shown and f"<title>{NAMED}</title>" in shown
    assert '<td><span class="keep">7.6e-08</span></td>' in legible.page("<td>7.6e-08</td>")
    assert 'exp<span class="keep">(-t</span>/tau)' in legible.page("<p>exp(-t/tau)</p>")
    assert "95.5\u00a0%" in shown and "3 +-\u00a01.0" in shown
    assert re.sub("<wbr>", "", shown).replace("\u00a0", " ") == f"<title>{NAMED}</title>{ROW}"


def test_options_of_commands_stay_whole() -> None:
    shown = legible.page('<pre><span class="go">neuroep train a_long_name.toml --data.path X -k y</span></pre>')
    assert '<span class="keep">--data.path</span> X <span class="keep">-k</span>' in shown and "<wbr>" not in shown


def test_boxes_of_the_site_are_reached_by_keys() -> None:
    for box in ("<pre>x</pre>", '<div class="math"><math></math></div>', '<div class="table-wrapper docutils"></div>'):
        assert 'tabindex="0"' in legible.page(box), box


def test_parts_of_the_theme_and_heads_of_tables_say_what_they_are() -> None:
    shown = legible.page('<aside class="sidebar-drawer"></aside><aside class="toc-drawer"></aside>')
    labels = re.findall(r'aria-label="([^"]+)"', shown)
    assert len(labels) == len(set(labels)) == 2
    assert 'aria-level="2"' in legible.page('<p class="caption" role="heading">Start</p>')
    assert '<th scope="col" class="head"><p>unit</p></th>' in legible.page('<th class="head"><p>unit</p></th>')
    assert legible.page('<th class="head"><p></p></th>') == '<td class="head"></td>'
    assert legible.page('<div id="search-results"></div>').startswith("<h1>")


def test_a_picture_leads_to_itself() -> None:
    picture = '<img alt="a b c" src="../_images/drift.png" />'
    shown = legible.page(f"<p>{picture}</p>")
    assert shown == f'<p><a class="enlarge" href="../_images/drift.png">{picture}</a></p>'
    assert legible.page(shown) == shown and "enlarge" not in legible.page('<img src="_static/logo.png">')


def test_long_cells_of_tables_have_room() -> None:
    told = "What a cell says in a sentence"
    assert legible.page(f"<td>{told}</td>") == f'<td class="long">{told}</td>'
    short = f'<td><p><a href="{told}.html">some words are few</a></p></td>'
    assert legible.page(short) == short


def test_pictures_of_one_plot_are_known_by_their_width() -> None:
    assert legible.width(drawn.BLANK) == 1
    wide = {name: legible.width((DOCS / name).read_bytes()) for name in ("front.png", "demo.png")}
    assert wide["front.png"] <= legible.FITS < wide["demo.png"]
