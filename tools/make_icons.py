"""``python -m tools.make_icons`` makes the icons in web/icons/ from web/favicon.svg, in headless Chromium.

The corners of the tile are transparent in the plain ones. Those that a system cuts into a shape of its own go to the
edge; what is drawn on them stays within the circle that every such shape leaves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
WEB = Path(__file__).parents[1] / "web"
ICONS = {"192": (192, False), "512": (512, False), "maskable": (512, True), "apple-touch-icon": (180, True)}
"""Width and height in pixels, and whether it goes to the edge."""
CORNER = 'rx="7"'


def main() -> None:
    """Make them all."""
    from playwright.sync_api import sync_playwright  # here, so that --help needs no browser's library

    drawing = (WEB / "favicon.svg").read_text(encoding="utf-8")
    if drawing.count(CORNER) != 1:
        raise SystemExit(f"favicon.svg has no tile with {CORNER}")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, (size, to_the_edge) in ICONS.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            svg = drawing.replace(CORNER, 'rx="0"') if to_the_edge else drawing
            page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block; width: {size}px }}</style>{svg}")
            page.screenshot(path=WEB / "icons" / f"{name}.png", omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
