"""Contrast of all texts of HTML pages against what lies behind them (WCAG 2.2, 1.4.3), as a browser computes colours.

    python tests/benchmarks/contrast.py PAGE.html ... [--themes light dark] [--browser chromium]

A page of the site is read in both themes, a report (--themes page) as it is. Each page is opened without a window; a
script in a copy of it, beside it and gone afterwards, walks through the texts, those within closed details among them.
Kinds of text below 4.5 (large ones 3) are listed with both colours. Pictures are not looked at: colours of their texts
are those of tests/analysis/drawing/test_html.py.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = """
const theme = "THEME";
if (theme !== "page") document.body.dataset.theme = theme;
document.querySelectorAll("details").forEach(each => each.open = true);
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const rgba = colour => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  const found = canvas.getImageData(0, 0, 1, 1).data;
  return [found[0], found[1], found[2], found[3] / 255];
};
const over = (a, b) => {
  const whole = a[3] + b[3] * (1 - a[3]);
  return whole ? [0, 1, 2].map(k => (a[k] * a[3] + b[k] * b[3] * (1 - a[3])) / whole).concat(whole) : [0, 0, 0, 0];
};
const light = colour => {
  const [r, g, b] = colour.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const up = (element, of, found) => {
  for (let each = element; each; each = each.parentElement) found = of(found, getComputedStyle(each));
  return found;
};
const kinds = {}, walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode, owner = text.parentElement, look = getComputedStyle(owner);
  if (!text.nodeValue.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(owner.tagName)) continue;
  if (look.visibility === "hidden" || !owner.getClientRects().length) continue;
  const behind = up(owner, (found, each) => over(found, rgba(each.backgroundColor)), [0, 0, 0, 0]);
  const ground = over(behind, [255, 255, 255, 1]);
  const own = rgba(look.color), opacity = up(owner, (found, each) => found * parseFloat(each.opacity), 1);
  const ink = over([own[0], own[1], own[2], own[3] * opacity], ground);
  const [low, high] = [light(ink.slice(0, 3)), light(ground.slice(0, 3))].sort((a, b) => a - b);
  const size = parseFloat(look.fontSize), large = size >= 24 || (size >= 18.66 && parseInt(look.fontWeight) >= 700);
  const name = owner.tagName.toLowerCase() + (typeof owner.className === "string" ? " " + owner.className : "");
  const on = ground.slice(0, 3).map(Math.round).join(","), key = [name, look.color, on, large].join("|");
  kinds[key] = kinds[key] || {name, ink: look.color, on, ratio: (high + 0.05) / (low + 0.05), least: large ? 3 : 4.5,
    count: 0, text: text.nodeValue.trim().slice(0, 40)};
  kinds[key].count++;
}
const told = document.createElement("pre");
told.id = "contrast"; told.textContent = JSON.stringify(Object.values(kinds));
document.body.appendChild(told);
"""
MARK = re.compile(r'<pre id="contrast">(.*?)</pre>', re.DOTALL)


def measure(page: Path, theme: str, browser: str) -> list[dict[str, Any]]:
    """Return the kinds of text of a page with their contrast."""
    script = f"<script>window.addEventListener('load', () => {{{SCRIPT.replace('THEME', theme)}}});</script></body>"
    copy = page.with_name(f"_contrast_{page.name}")
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,2000", "--virtual-time-budget=4000"]
    try:
        words = [browser, *options, "--dump-dom", copy.resolve().as_uri()]
        found = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True).stdout
    finally:
        copy.unlink()
    held = MARK.search(found)
    if held is None:
        sys.exit(f"{page}: the browser gave no texts")
    kinds: list[dict[str, Any]] = json.loads(html.unescape(held[1]))
    return kinds


def main() -> None:
    """Measure the pages that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE.html")
    parser.add_argument("--themes", nargs="+", default=["light", "dark"], choices=("light", "dark", "page"))
    parser.add_argument("--browser", default="chromium")
    given = parser.parse_args()
    for page in given.pages:
        for theme in given.themes:
            kinds = measure(page, theme, given.browser)
            low = [kind for kind in kinds if kind["ratio"] < kind["least"]]
            least = min(kind["ratio"] for kind in kinds)
            print(f"{page.name}, {theme}: {len(kinds)} kinds of text, least {least:.2f}, {len(low)} too low")
            for kind in low:
                about = f"{kind['name']}, {kind['ink']} on {kind['on']}, {kind['count']} times: {kind['text']!r}"
                print(f"    {kind['ratio']:.2f} of {kind['least']}: {about}")


if __name__ == "__main__":
    main()
