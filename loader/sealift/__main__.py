"""`python -m sealift`: the command `sealift`, where that is not on the PATH."""

from sealift.cli import main

main()
