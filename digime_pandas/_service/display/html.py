"""Pieces of HTML: one look for all that shows itself, with padding of its own, on light and dark pages.

Every text that is passed is escaped. Without the style sheet, which some viewers of notebooks remove, the same is shown
as plain tables and lists.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from digime_pandas.errors import printable

Tone = Literal["good", "careful", "bad", "plain"]

# JupyterLab's and VS Code's own colours where they define them; elsewhere those of the page. White on the four colours
# of labels, and these on white and on black, are readable; grounds are so thin that the text keeps its contrast.
STYLE = """<style>
.digime-card{--digime-quiet:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,inherit));
--digime-line:var(--jp-border-color1,var(--vscode-panel-border,#8886));box-sizing:border-box;max-width:60rem;
margin:4px 0;padding:12px 16px;border:1px solid var(--digime-line);border-radius:8px;
color:var(--jp-ui-font-color1,var(--vscode-editor-foreground,inherit));
font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);overflow-wrap:anywhere}
.digime-card>:first-child{margin-top:0}
.digime-card>:last-child{margin-bottom:0}
.digime-card p{margin:0 0 8px;font:inherit}
.digime-card .digime-head{font-size:1.1em;font-weight:600}
.digime-card .digime-quiet{color:var(--digime-quiet);font-weight:400}
.digime-card .digime-label{display:inline-block;padding:0 8px;border-radius:4px;background:#5f6672;color:#fff;
font-weight:600;white-space:nowrap}
.digime-card .digime-good{background:#2e7d32}
.digime-card .digime-careful{background:#9a5b00}
.digime-card .digime-bad{background:#c62828}
.digime-card .digime-notice{margin:0 0 8px;padding:8px 12px;border-left:4px solid #5f6672;background:#8881}
.digime-card .digime-notice.digime-careful{border-color:#d98200;background:#f5a60022}
.digime-card .digime-notice.digime-bad{border-color:#c62828;background:#e5393522}
.digime-card .digime-notice.digime-good{border-color:#2e7d32;background:#43a04722}
.digime-card .digime-notice ul{margin:0;padding-left:1.2em}
.digime-card .digime-scroll{margin:0 0 8px;overflow-x:auto}
.digime-card table{width:auto;color:inherit;margin:0;border:0;border-collapse:collapse;table-layout:auto;font-size:13px}
.digime-card tr{background:none!important}
.digime-card th,.digime-card td{max-width:none;padding:4px 16px 4px 0;border:0;text-align:left!important;
vertical-align:top;white-space:normal;overflow-wrap:break-word;color:inherit}
.digime-card th{color:var(--digime-quiet);font-weight:400;white-space:nowrap}
.digime-card .digime-grid th{vertical-align:bottom;white-space:normal}
.digime-card .digime-grid td,.digime-card .dataframe td{white-space:nowrap}
.digime-card .digime-grid .digime-text{min-width:13em;white-space:normal}
.digime-card thead th,.digime-card thead+tbody td{border-bottom:1px solid var(--digime-line)}
.digime-card .digime-number{text-align:right!important;white-space:nowrap}
.digime-card pre,.digime-card code{padding:0;border:0;background:none;color:inherit;
font:13px/1.5 var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace)}
div.digime-card pre{margin:0 0 8px;padding:8px 12px;border-radius:4px;background:#8882;overflow-x:auto;white-space:pre;
word-break:normal}
div.digime-card pre.digime-copy{user-select:all;white-space:pre-wrap}
.digime-card details{margin:0 0 8px}
.digime-card summary{cursor:pointer;color:var(--digime-quiet)}
.digime-card details>*+*{margin-top:8px}
.digime-card a{color:var(--jp-content-link-color,var(--vscode-textLink-foreground,LinkText));text-decoration:underline}
@media (max-width:600px){.digime-card{padding:12px}
.digime-card th,.digime-card td{padding-right:8px}
.digime-card .digime-grid td{min-width:4.5em;white-space:normal;overflow-wrap:anywhere}
.digime-card .digime-grid td.digime-number{min-width:0;white-space:nowrap}
.digime-card .digime-grid .digime-text{min-width:7em;overflow-wrap:break-word}}
</style>"""


class Html(str):
    """HTML, in which texts are escaped already."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return a text as HTML; what is HTML is returned as it is."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def card(*parts: str) -> str:
    """Return what a notebook shows of one object.

    Args:
        parts: What is in it, one below the other.
    """
    return f'{STYLE}<div class="digime-card">{_joined(parts)}</div>'


def head(label: str, tone: Tone, text: str, quiet: str = "") -> Html:
    """Return the first line of a card.

    Args:
        label: One or two words on a ground of its tone.
        tone: How good that is.
        text: What it is about.
        quiet: What is said after it, less loudly.
    """
    after = f' <span class="digime-quiet">{escaped(quiet)}</span>' if quiet else ""
    return Html(f'<p class="digime-head">{labelled(label, tone)} {escaped(text)}{after}</p>')


def labelled(text: str, tone: Tone) -> Html:
    """Return a word or two on a ground of its tone."""
    return Html(f'<span class="digime-label{_tone(tone)}">{escaped(text)}</span>')


def line(*texts: str) -> Html:
    """Return a paragraph."""
    return Html(f"<p>{_joined(texts)}</p>")


def notice(tone: Tone, title: str, lines: Iterable[str]) -> Html:
    """Return what has to be seen first: a title and a list."""
    items = "".join(f"<li>{escaped(each)}</li>" for each in lines)
    return Html(f'<div class="digime-notice{_tone(tone)}"><b>{escaped(title)}</b><ul>{items}</ul></div>')


def facts(values: Mapping[str, str]) -> Html:
    """Return a table of names and texts; what has no text is left out."""
    known = ((name, text) for name, text in values.items() if text)
    rows = (f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(text)}</td></tr>' for name, text in known)
    return scrolled(f"<table><tbody>{''.join(rows)}</tbody></table>")


def table(
    names: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = (), texts: Sequence[str] = ()
) -> Html:
    """Return a table.

    Args:
        names: Names of its columns.
        rows: A text per column.
        numbers: The columns that hold numbers, which are set to the right.
        texts: The columns that hold sentences, which are broken into lines.
    """
    classes = dict.fromkeys(numbers, ' class="digime-number"') | dict.fromkeys(texts, ' class="digime-text"')
    kinds = [classes.get(name, "") for name in names]
    titles = "".join(f'<th scope="col"{kind}>{escaped(name)}</th>' for name, kind in zip(names, kinds, strict=True))
    body = "".join(f"<tr>{_cells(row, kinds)}</tr>" for row in rows)
    return scrolled(f'<table class="digime-grid"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>')


def code(text: str) -> Html:
    """Return lines of code, all of which one click selects."""
    return Html(f'<pre class="digime-copy"><code>{escaped(text)}</code></pre>')


def lines_of(text: str) -> Html:
    """Return lines as they are, in letters of one width."""
    return Html(f"<pre>{escaped(text)}</pre>")


def folded(title: str, *parts: str) -> Html:
    """Return what is shown once its title is clicked."""
    return Html(f"<details><summary>{escaped(title)}</summary>{_joined(parts)}</details>")


def link(address: str, text: str) -> Html:
    """Return a link that opens in a new tab; one that is neither http nor https is only its text."""
    if not address.startswith(("http://", "https://")):
        return escaped(text)
    return Html(f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer">{escaped(text)}</a>')


def scrolled(content: str) -> Html:
    """Return HTML that is scrolled where it is wider than the page.

    Args:
        content: HTML, which is not escaped.
    """
    return Html(f'<div class="digime-scroll">{content}</div>')


def _joined(parts: Iterable[str]) -> str:
    return "".join(map(escaped, parts))


def _tone(tone: Tone) -> str:
    return "" if tone == "plain" else f" digime-{tone}"


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    return "".join(f"<td{kind}>{escaped(text)}</td>" for text, kind in zip(row, kinds, strict=True))
