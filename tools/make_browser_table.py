"""``python -m tools.make_browser_table`` lists what browsers have that the oldest supported ones lack: for tests/web.

The data is MDN's, from npm (``npm pack @mdn/browser-compat-data``). What is behind a flag or has another name does not
count as supported; what MDN calls partial does.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OLDEST = {"chrome": 92, "firefox": 98, "safari": 15.4, "safari_ios": 15.4}
"""The oldest supported versions. docs/dashboard.md says so, too."""
TABLE = Path(__file__).parents[1] / "tests" / "web" / "too_new.json"
PACKAGE = "@mdn/browser-compat-data"


def lacks(feature: dict[str, Any]) -> bool:
    """Tell whether one of the oldest browsers lacks a feature."""
    return not all(_has(feature["support"].get(browser), version) for browser, version in OLDEST.items())


def _has(support: Any, version: float) -> bool:
    """Tell whether a browser has it in a version; `support` is a statement of MDN's, or several."""
    for statement in support if isinstance(support, list) else [support]:
        added, partial = (statement or {}).get("version_added"), (statement or {}).get("partial_implementation")
        if not isinstance(added, str) or {"flags", "prefix", "alternative_name"} & {*statement}:
            continue
        number = re.match(r"≤?([\d.]+)", added)
        gone = statement.get("version_removed") and not partial  # a part is followed by the whole
        if number is not None and not gone and float(number[1]) <= version:
            return True
    return False


def interfaces(data: dict[str, Any]) -> Iterator[tuple[str, str | None, bool]]:
    """Yield each interface, and each member of those that the oldest browsers have, with whether it is too new."""
    for root in (data["javascript"]["builtins"], data["api"]):
        for interface, content in root.items():
            is_lacking = "__compat" in content and lacks(content["__compat"])
            yield interface, None, is_lacking
            for member, feature in content.items():
                if not is_lacking and member != "__compat" and "__compat" in feature:
                    yield interface, re.sub(r"_(static|event)$", "", member), lacks(feature["__compat"])


def scripts(data: dict[str, Any]) -> tuple[dict[str, list[str]], list[str]]:
    """Return what is too new of each interface, nothing for all of it, and the names that nothing older has."""
    too_new: dict[str, list[str]] = defaultdict(list)
    names: dict[str, bool] = {}
    for interface, member, is_lacking in interfaces(data):
        name = member or interface
        names[name] = names.get(name, True) and is_lacking
        if is_lacking:
            too_new[interface] += [member] if member else []
    listed = {interface: sorted({*members}) for interface, members in sorted(too_new.items())}
    return listed, sorted(name for name, is_lacking in names.items() if is_lacking)


def markup(root: dict[str, Any], depth: int) -> list[str]:
    """Return what is too new of a part of CSS or HTML, as `property` or `property.value`."""
    found = []
    for name, content in root.items():
        if name != "__compat" and isinstance(content, dict):
            if "__compat" in content and lacks(content["__compat"]):
                found.append(name)
            elif depth > 1:
                found += [f"{name}.{rest}" for rest in markup(content, depth - 1)]
    return sorted(found)


def table(data: dict[str, Any]) -> dict[str, Any]:
    """Return all of it."""
    listed, names = scripts(data)
    css, html = data["css"], data["html"]
    return {
        "source": f"{PACKAGE} {data['__meta']['version']}",
        "oldest": OLDEST,
        "interfaces": listed,
        "names": names,
        "properties": markup(css["properties"], 2),
        "selectors": markup(css["selectors"], 1),
        "at-rules": markup(css["at-rules"], 2),
        "types": markup(css["types"], 2),
        "elements": markup(html["elements"], 2),
        "attributes": markup(html["global_attributes"], 1),
    }


def download() -> dict[str, Any]:
    """Return MDN's newest data."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            file = files.extractfile("package/data.json")
            assert file is not None
            data: dict[str, Any] = json.load(file)
            return data


def main() -> None:
    """Write the table: a line for each interface, so that a change can be read."""
    lines = []
    for key, value in table(download()).items():
        if isinstance(value, dict):
            rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items())
            lines.append(f'  "{key}": {{\n{rows}\n  }}')
        else:
            lines.append(f'  "{key}": {json.dumps(value)}')
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
