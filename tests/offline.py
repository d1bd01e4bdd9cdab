"""What a page of the book loads or links to on other hosts."""

import re
from pathlib import Path

ABSOLUTE = re.compile(
    r"""<[^>]+\b(?:src|href)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""", re.IGNORECASE
)
IMPORTED = re.compile(r"""(?:@import\s+|url\(\s*)["']?((?:https?:)?//[^"'\s)]+)""", re.IGNORECASE)


def foreign(folder: Path) -> list[str]:
    """``page: address`` of every src or href, and style import, that leaves the folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        patterns = {".html": (ABSOLUTE, IMPORTED), ".css": (IMPORTED,)}.get(path.suffix, ())
        text = path.read_text(encoding="utf-8") if patterns else ""
        found += [
            f"{path.relative_to(folder)}: {address}"
            for pattern in patterns
            for address in pattern.findall(text)
        ]
    return found
