"""Pieces of an HTML page: every text that goes in is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from train.evaluation.clip_metrics import Ints

escape = html.escape


def definitions(rows: Iterable[tuple[str, str, str]], kind: str) -> str:
    """Lay out a list of terms.

    Parameters
    ----------
    rows : iterable of (str, str, str)
        Term, value, and what is told beneath in small type; empty for nothing.
    kind : str
        Class of the list.
    """
    items = []
    for term, value, small in rows:
        beneath = f"<small>{escape(small)}</small>" if small else ""
        long = ' class="long"' if len(value) > 48 else ""
        items.append(f"<div{long}><dt>{escape(term)}</dt><dd>{escape(value)}{beneath}</dd></div>")
    return f'<dl class="{kind}">{"".join(items)}</dl>'


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Lay out a table that scrolls sideways where it has no room.

    Parameters
    ----------
    caption : str
    heads : sequence of str
        Of the columns.
    rows : iterable of sequence of str
        The first cell is the row's head.
    texts : int
        How many columns hold text, from the left; the others hold numbers.
    """
    lines, kinds = [], ("number", "text")
    top = "".join(
        f'<th scope="col" class="{kinds[column < texts]}">{escape(head)}</th>' for column, head in enumerate(heads)
    )
    for row in rows:
        cells = "".join(
            f'<td class="{kinds[column < texts]}">{escape(cell)}</td>' for column, cell in enumerate(row[1:], 1)
        )
        lines.append(f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    return _scrolling(caption, "plain", top, lines)


def html_matrix(caption: str, labels: Sequence[str], columns: Sequence[str], counts: Ints) -> str:
    """Lay out a confusion matrix: counts, their share of the row, and a ground that is the stronger the larger it is.

    Parameters
    ----------
    caption : str
    labels, columns : sequence of str
        What clips are, and what they are taken for.
    counts : np.ndarray [shape=(len(labels), len(columns)), dtype=int64]
    """
    top = '<td aria-hidden="true" style="--share:0"></td>' + "".join(
        f'<th scope="col">{escape(column)}</th>' for column in columns
    )
    lines = []
    for label, row in zip(labels, counts.tolist(), strict=True):
        total = sum(row)
        cells = []
        for column, count in zip(columns, row, strict=True):
            share = count / total if total else 0.0
            kind = "hit" if column == label else "" if count else "none"
            beneath = f"<small>{100 * share:.0f} %</small>" if count else ""
            cells.append(f'<td class="{kind}" style="--share:{share:.3f}">{count}{beneath}</td>')
        lines.append(f'<tr><th scope="row">{escape(label)}<small>{total} clips</small></th>{"".join(cells)}</tr>')
    return _scrolling(caption, "matrix", top, lines)


def section(name: str, title: str, *parts: str) -> str:
    """Lay out a section; `name` is what links to it say."""
    heading = f'<h2 id="{name}-title">{escape(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{heading}{"".join(parts)}</section>'


def paragraph(text: str) -> str:
    """Lay out a paragraph."""
    return f"<p>{escape(text)}</p>"


def _scrolling(caption: str, kind: str, head: str, lines: Sequence[str]) -> str:
    """Put a table beneath its caption, to scroll by itself, by keyboard as well, while the caption stays."""
    name = escape(caption)
    return (
        f'<div class="captioned"><p class="caption">{name}</p><div class="scroll" role="region" aria-label="{name}" '
        f'tabindex="0"><table class="{kind}" aria-label="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></div>"
    )
