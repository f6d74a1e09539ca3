"""``python -m consumers`` is ``kompass-qbo``."""

from consumers.cli import main

if __name__ == "__main__":
    main()
