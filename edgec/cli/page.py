"""A page of the documentation on a terminal: paragraphs in lines of its width, tables as lists."""

from __future__ import annotations

import re

from edgec.cli.columns import filled

_ITEM = re.compile(r"(\s*(?:[-*]|\d+\.)\s+)")


def page_lines(text: str, width: int | None) -> list[str]:
    """The page's lines, as they are where there is no terminal (`width` None)."""
    if width is None:
        return text.splitlines()
    lines: list[str] = []
    for block in _blocks(text.splitlines()):
        lines += _shown(block, width)
    return lines


def _blocks(lines: list[str]) -> list[list[str]]:
    """Paragraphs, items, rows and lines of code; each blank line is a block."""
    blocks: list[list[str]] = []
    code = False
    for line in lines:
        fence = line.lstrip().startswith("```")
        begins = code or fence or not line.strip() or line.startswith(("|", "#", "    ")) or bool(_ITEM.match(line))
        code = code != fence
        if begins or not blocks or not _continues(blocks[-1]):
            blocks.append([line])
        else:
            blocks[-1].append(line)
    return blocks


def _continues(block: list[str]) -> bool:
    """Whether the next line may belong to it."""
    first = block[0]
    return bool(first.strip()) and not first.startswith(("|", "#", "    ")) and not first.lstrip().startswith("```")


def _shown(block: list[str], width: int) -> list[str]:
    first = block[0]
    if not _continues(block) and not first.startswith(("|", "#")):
        return block
    if first.startswith("|"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", first.strip().strip("|"))]
        if all(not cell.strip("-: ") for cell in cells):
            return []
        head, *rest = cells
        return [*filled(head, width), *(line for cell in rest for line in filled(cell, width, "    "))]
    item = _ITEM.match(first)
    indent = " " * len(item[1]) if item else ""
    lines = filled(" ".join(line.strip() for line in block), width - len(indent), "")
    if item is None:
        return lines
    rest = filled(" ".join([first[len(item[1]) :], *(line.strip() for line in block[1:])]), width - len(indent), "")
    return [item[1] + rest[0], *(indent + line for line in rest[1:])] if rest else [first]
