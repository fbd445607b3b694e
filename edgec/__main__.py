"""`python -m edgec`: the console script where the environment's `bin` is not on the path."""

from edgec.cli.app import main

if __name__ == "__main__":
    main()
