"""`python -m syncd` is `syncd`."""

from syncd.shell.cli import main

if __name__ == "__main__":
    main()
