"""``python -m dbprofile``: the same as the command ``dbprofile``."""

import sys

from dbprofile.cli import main

if __name__ == "__main__":
    sys.exit(main())
