"""``python -m nbdag``."""

from nbdag.cli import main

if __name__ == "__main__":
    main()
