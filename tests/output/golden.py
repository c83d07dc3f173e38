"""The golden files: five pages of the shop at three widths, plain, in colour and in ASCII.

``python -m tests.output.golden`` writes them anew; read the difference before you commit it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from dbprofile.output.renderers import text
from dbprofile.output.terminal import Terminal
from tests.output import shop

FOLDER = Path(__file__).with_name("golden")
PAGES = (shop.fine, shop.many_queries, shop.slow, shop.background, shop.untracked)
WIDTHS = (80, 100, 120)
MODES = {"plain": (False, False), "colour": (True, False), "ascii": (False, True)}
CASES = [(width, mode) for width in WIDTHS for mode in MODES]


def file_of(width: int, mode: str) -> Path:
    """Where the golden text is kept."""
    return FOLDER / f"{mode}-{width}.txt"


def rendered(root: Path, width: int, mode: str) -> str:
    """The pages as they are rendered today."""
    colour, ascii_only = MODES[mode]
    with shop.opened(root) as opened:
        terminal = Terminal(width, colour, ascii_only)
        return "\n".join(text.render([page(opened)], terminal, root=root) + "\n" for page in PAGES)


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for width, mode in CASES:
        with TemporaryDirectory() as folder:
            file_of(width, mode).write_text(rendered(Path(folder), width, mode), encoding="utf-8")


if __name__ == "__main__":
    main()
