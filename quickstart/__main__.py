"""Entry point of `python -m quickstart`."""

from quickstart.cli import main

if __name__ == "__main__":
    main()
