"""Writes the boards: `python -m ares_boards FOLDER`. A file of a board that is no more goes."""

from __future__ import annotations

import sys
from pathlib import Path

from ares_boards.boards import BOARDS


def main(folder: Path) -> None:
    """One JSON file a board, named by its uid."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in set(folder.glob("*.json")) - {folder / f"{board.uid}.json" for board in BOARDS}:
        old.unlink()
    for board in BOARDS:
        (folder / f"{board.uid}.json").write_text(board.json(), encoding="utf-8")
        sys.stdout.write(f"{folder.name}/{board.uid}.json\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
