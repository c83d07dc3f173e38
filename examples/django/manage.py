"""Django's command line for the shop: ``python manage.py runserver``."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    if sys.argv[1:2] == ["runserver"]:
        from visit import prepare  # the shop's tables and orders, so that one command is enough

        prepare()
    execute_from_command_line(sys.argv)
