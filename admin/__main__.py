"""Django's own commands: ``python -m admin createsuperuser`` and the like."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from sync.settings import BadSetting


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin.settings")
    try:
        execute_from_command_line(sys.argv)
    except BadSetting as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)


if __name__ == "__main__":
    main()
