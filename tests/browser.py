"""What a browser says of a page of a book, where there is a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")

PROBE = """
<script>
const faults = [];
window.addEventListener("error", (event) => faults.push(event.message));
window.addEventListener("load", () => {
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


def ask(page: Path, width: int, words: str = "") -> dict[str, Any]:
    """Open a page at some width, type words into its filter, and see what is there."""
    probed, frame = (page.with_name(f"{name}-{page.name}") for name in ("probed", "frame"))
    text = page.read_text(encoding="utf-8")
    probe = PROBE.replace("WORDS", words)
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
