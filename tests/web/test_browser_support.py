"""What the dashboard is written in is understood by the oldest browsers that it promises to run in.

too_new.json says what those lack, as MDN collects it; `python -m tools.make_browser_table` writes it anew. Here the
sources are read; test_dashboard_layout.py runs the page in a browser from which all of it is taken away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
TOO_NEW = json.loads((Path(__file__).parent / "too_new.json").read_text(encoding="utf-8"))

OURS = {"confidence", "reliable", "share", "paint"}
"""Names of the page's own that something too new has, too."""
ASKED_FOR = {"wakeLock", "fullscreenEnabled", "fullscreenElement", "requestFullscreen", "exitFullscreen"}
"""What the page uses only where it is there."""
GRACEFUL = {
    "autocapitalize": "a phone offers a capital letter, and one types a small one",
    "accent-color": "another green in a check box",
    "align-content.start": "it is older in a grid",
    "align-self.start": "it is older in a grid",
    "cursor": "there is none on a phone",
    "font-family.ui-monospace": "another font follows",
    "container": "rules for browsers without it stand beside it",
    "container-type": "the same",
    "forced-color-adjust": "there are no forced colours without it",
    "media.forced-colors": "nor with it",
    "overflow.clip": "labels of the axis reach out to the left, where nothing scrolls",
    "overflow-clip-margin": "goes with it",
    "text-wrap": "lines are a little less even",
}
"""What may be missing, and what is then so."""
UNITS = {
    r"cq(?:w|h|i|b|min|max)": "length.container_query_length_units",
    r"dv(?:w|h|i|b|min|max)": "length.viewport_percentage_units_dynamic",
    r"[sl]v(?:w|h|i|b|min|max)": "length.viewport_percentage_units_small",
    r"(?:cap|ic|lh|rlh|rcap|rch|rex|ric|vb|vi)": "length.{}",
}
SYNTAX = {
    "a static block": r"\bstatic\s*\{",
    "import attributes": r"\b(?:import|export)\b[^;\n]*[\"']\s+(?:with|assert)\s*\{",
    "a dynamic import's options": r"\bimport\([^)]*,",
    "using": r"\busing\s+[A-Za-z_$][\w$]*\s*=",
    "import defer": r"\bimport\s+(?:defer|source)\s",
}
"""What no older browser can even read, so that the whole page stays empty."""
REGEXES = {"looking behind": r"\(\?<[=!]", "flag v": r"/[a-z]*v[a-z]*$", "modifiers": r"\(\?[ims]*-?[ims]*:(?<!\(\?:)"}

TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/|//[^\n]*)"
    r'|(?P<text>"(?:\\.|[^"\\\n])*")'
    r"|(?P<template>`(?:\\.|[^`\\])*`)"
    r"|(?<=[(=:,\[!&|?{};])(?P<space>\s*)(?P<regex>/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*)",
    re.DOTALL,
)


def faults_of_script(source: str) -> list[str]:
    """Return what is too new in a module."""
    regexes = [match["regex"] for match in TOKEN.finditer(source) if match["regex"]]
    code = TOKEN.sub(lambda match: match[0] if match["template"] or match["text"] else " ", source)
    plain = TOKEN.sub(lambda match: match[0] if match["template"] else '""', code)
    too_new, interfaces = {*TOO_NEW["names"]} - OURS - ASKED_FOR, TOO_NEW["interfaces"]
    members = {*re.findall(r"\.\s*([A-Za-z_$][\w$]*)", plain)}
    for taken in re.findall(
        r"\{([^{}]*)\}\s*=\s*(?:document|navigator|window|globalThis|Array|Object|Promise)\b", plain
    ):
        members |= {*re.findall(r"\w+", taken)}
    declared = {*re.findall(r"\b(?:const|let|function|class)\s+(\w+)", plain)}
    globals_ = {*re.findall(r"(?<![.\w#$])([A-Za-z_$][\w$]*)(?=\s*[.(])", plain)} - declared
    found = sorted(members & too_new)
    found += sorted(globals_ & too_new & {*interfaces, *interfaces.get("Window", [])})
    for interface, member in re.findall(r"\b([A-Z]\w*)\.(\w+)", plain):
        found += [f"{interface}.{member}"] if member in interfaces.get(interface, []) else []
    found += [what for what, pattern in SYNTAX.items() if re.search(pattern, code)]
    return found + [what for what, pattern in REGEXES.items() if any(re.search(pattern, regex) for regex in regexes)]


class Declaration(NamedTuple):
    """A line of a style sheet."""

    around: tuple[str, ...]
    """The selector and at-rules about it, the outermost first."""
    name: str
    value: str


def declarations(source: str) -> Iterator[Declaration]:
    """Yield all declarations of a style sheet, in their order; a rule without any has an empty one."""
    around: list[str] = []
    for text, end in re.findall(r"([^{};]*)([{};])", re.sub(r"/\*.*?\*/", " ", source, flags=re.DOTALL)):
        text = " ".join(text.split())
        if end == "{":
            around.append(text)
            yield Declaration(tuple(around), "", "")
            continue
        if text and not text.startswith("@"):
            name, _, value = text.partition(":")
            yield Declaration(tuple(around), name.strip(), value.strip())
        if end == "}":
            around.pop()


def features_of_value(name: str, value: str) -> set[str]:
    """Return the features that a declaration needs and the oldest browsers lack."""
    values = {f"{name}.{word}" for word in re.findall(r"(?<![\w-])[a-z][a-z-]*(?![\w(-])", value)}
    needed = ({name} | values) & {*TOO_NEW["properties"]}
    types = {*TOO_NEW["types"]}
    called = {*re.findall(r"([a-z][a-z-]*)\(", value)}
    needed |= {one for one in types if one.rpartition(".")[2] in called}
    for unit in re.findall(r"\d([a-z]+)\b", value):
        needed |= {known.format(unit) for pattern, known in UNITS.items() if re.fullmatch(pattern, unit)} & types
    return needed


def features_of_rule(text: str, is_nested: bool) -> set[str]:
    """Return the features that a selector or an at-rule needs and the oldest browsers lack."""
    if not text.startswith("@"):
        needed = {*re.findall(r":([a-z-]+)", text)} & {*TOO_NEW["selectors"]}
        return needed | ({"nesting"} if is_nested or "&" in text else set())
    name = text[1:].split()[0]
    needed = {name} | ({f"{name}.{word}" for word in re.findall(r"\(\s*([a-z-]+)", text)} if name == "media" else set())
    needed |= {"media.range_syntax"} if re.search(r"[<>]", text) else set()
    return needed & {*TOO_NEW["at-rules"]}


def faults_of_style(source: str) -> list[str]:
    """Return what is too new in a style sheet, without an older declaration before it or `@supports` about it."""
    found = []
    before: dict[tuple[tuple[str, ...], str], bool] = {}
    for around, name, value in declarations(source):
        if not name:
            is_nested = any(not rule.startswith("@") for rule in around[:-1]) and not around[0].startswith("@keyframes")
            needed = features_of_rule(around[-1], is_nested)
        else:
            needed = features_of_value(name, value)
            # What contains var() is not passed over by who does not understand it: the property gets no value at all.
            if needed and before.get((around, name)) and "var(" not in value:
                needed = set()
            before[around, name] = before.get((around, name), False) or not needed
        asked = " ".join(rule for rule in around if rule.startswith("@supports"))
        if any(rule.startswith("@container") for rule in around):
            needed = needed - {UNITS[next(iter(UNITS))]}
        for one in sorted(needed):
            if {one, one.partition(".")[0]}.isdisjoint(GRACEFUL) and one.rpartition(".")[2] not in asked:
                found.append(f"{one} in {' '.join((*around, name)).strip()}")
    return found


class Markup(HTMLParser):
    """A page's elements and attributes that are too new."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        names = {tag} | {f"{tag}.{name}" for name, _ in attrs}
        self.found += sorted(names & {*TOO_NEW["elements"]}) + sorted(
            {name for name, _ in attrs} & {*TOO_NEW["attributes"]}
        )


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.js")), ids=lambda path: path.relative_to(WEB).as_posix())
def test_script_is_understood_by_the_oldest_browsers(path: Path) -> None:
    """No module uses what one of them lacks, unless it looks whether it is there."""
    assert faults_of_script(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.css")), ids=lambda path: path.name)
def test_style_sheet_is_understood_by_the_oldest_browsers(path: Path) -> None:
    """What one of them lacks has something older before it, or is missed by nobody."""
    assert faults_of_style(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.html")), ids=lambda path: path.name)
def test_page_is_understood_by_the_oldest_browsers(path: Path) -> None:
    """No element or attribute is one that they lack."""
    markup = Markup()
    markup.feed(path.read_text(encoding="utf-8"))
    assert {*markup.found} <= {*GRACEFUL}


@pytest.mark.parametrize(
    "source",
    [
        "const last = list.toReversed();",
        "x?.at(1).findLast((it) => it);",
        "Object.groupBy(list, key);",
        "structuredClone(x)",
        "await Promise.withResolvers()",
        "new Set(a).union(b)",
        "`${list.toSorted()}`",
        "navigator.share?.x; requestIdleCallback(f);",
        "AbortSignal.timeout(5)",
        "class A { static { run(); } }",
        "const found = text.match(/(?<=a)b/);",
        "f(/[a&&b]/v)",
        'import a from "./a.json" with { type: "json" };',
    ],
)
def test_what_is_too_new_is_found_in_scripts(source: str) -> None:
    """What breaks in an older browser is found, wherever it stands."""
    assert faults_of_script(source) != []


@pytest.mark.parametrize(
    ("source", "is_fault"),
    [
        ("a { height: 100dvh; }", True),
        ("a { height: 100vh; height: 100dvh; }", False),
        ("a { color: color-mix(in oklab, red, blue); }", True),
        ("a { color: red; color: color-mix(in oklab, var(--ink), blue); }", True),
        (
            "@supports (color: color-mix(in oklab, red, red)) { a { color: color-mix(in oklab, var(--ink), blue); } }",
            False,
        ),
        ("a:has(b) { color: red; }", True),
        ("a { b { color: red; } }", True),
        ("a { &:hover { color: red; } }", True),
        ("@media (width > 30rem) { a { color: red; } }", True),
        ("@layer base { a { color: red; } }", True),
        ("@keyframes a { from { opacity: 0; } to { opacity: 1; } }", False),
        ("a { width: 10cqw; }", True),
        ("a { line-height: 2lh; color: light-dark(red, blue); }", True),
        ("a { width: 10vw; inset: 0; aspect-ratio: 1; translate: none; }", True),
        ("a { width: 10vw; inset: 0; aspect-ratio: 1; }", False),
    ],
)
def test_what_is_too_new_is_found_in_styles(source: str, is_fault: bool) -> None:
    """What an older browser passes over is found, unless something older stands before it."""
    assert (faults_of_style(source) != []) == is_fault


def test_the_oldest_browsers_are_told() -> None:
    """docs/dashboard.md names the versions that the table is for."""
    page = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")
    oldest = TOO_NEW["oldest"]
    assert oldest["safari"] == oldest["safari_ios"]
    assert f"Chromium {oldest['chrome']}" in page
    assert f"Firefox {oldest['firefox']}" in page
    assert f"Safari {oldest['safari']}" in page
