"""`python -m inos` is the same as `inos`."""

from inos.cli.main import main

if __name__ == "__main__":
    main()
