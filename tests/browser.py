"""What a browser says of a page of a book, where there is a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")

PROBE = r"""
<script>
const faults = [];
const levels = (text) => text.match(/[\d.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255).map(
    (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
// Each colour on what lies below it, down to the page.
const behind = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const rgba = levels(getComputedStyle(e).backgroundColor);
    layers.push(rgba.length < 4 ? [...rgba, 1] : rgba);
    if (layers.at(-1)[3] === 1) break;
  }
  return layers.reverse().reduce(
    (below, rgba) => below.map((v, i) => rgba[3] * rgba[i] + (1 - rgba[3]) * v), [255, 255, 255]
  );
};
const contrast = (element) => {
  const rgba = levels(getComputedStyle(element).color), below = behind(element);
  const share = rgba.length < 4 ? 1 : rgba[3];
  const pair = [light(below.map((v, i) => share * rgba[i] + (1 - share) * v)), light(below)];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
};
const faintest = () => {
  let worst = [21, ""];
  for (const element of document.querySelectorAll("article :not(.headerlink)")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const ratio = contrast(element);
    if (ratio < worst[0]) worst = [ratio, element.textContent.trim().slice(0, 40)];
  }
  return worst;
};
window.addEventListener("error", (event) => faults.push(event.message));
window.addEventListener("load", () => {
  document.documentElement.dataset.theme = "THEME";
  document.documentElement.dataset.mode = "THEME";
  const field = document.getElementById("filter");
  if (field) {
    field.value = "WORDS";
    field.dispatchEvent(new Event("input"));
  }
  const shown = document.getElementById("shown");
  const images = [...document.querySelectorAll("article img")];
  const said = {
    width: document.documentElement.scrollWidth,
    window: window.innerWidth,
    faults: faults,
    shown: shown && shown.textContent,
    theme: getComputedStyle(document.body).backgroundColor,
    faintest: faintest(),
    silent: images.filter((image) => !image.alt).length,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
  };
  parent.postMessage(JSON.stringify(said), "*");
});
</script>
"""

# A window has a least width, a frame has none.
FRAME = """
<script>
window.addEventListener("message", (event) => {
  document.documentElement.setAttribute("data-said", event.data);
});
</script>
<iframe src="PAGE" style="width: WIDTHpx; height: 900px; border: 0"></iframe>
"""


def ask(page: Path, width: int, words: str = "", theme: str = "light") -> dict[str, Any]:
    """Open a page at some width, type words into its filter, and see what is there.

    ``faintest`` : the least contrast of a text with what lies behind it, and the text.
    """
    probed, frame = (page.with_name(f"{name}-{page.name}") for name in ("probed", "frame"))
    text = page.read_text(encoding="utf-8")
    probe = PROBE.replace("WORDS", words).replace("THEME", theme)
    probed.write_text(text.replace("<head>", f"<head>{probe}", 1), encoding="utf-8")
    frame.write_text(FRAME.replace("PAGE", probed.name).replace("WIDTH", str(width)))
    try:
        done = subprocess.run(
            [
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"),
                *("--virtual-time-budget=8000", "--window-size=1400,1000", "--dump-dom"),
                frame.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    finally:
        probed.unlink()
        frame.unlink()
    (said,) = re.findall(r'data-said="([^"]*)"', done.stdout)
    return json.loads(said.replace("&quot;", '"').replace("&amp;", "&"))
