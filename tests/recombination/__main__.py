"""Run lives: `python -m recombination [--lives N] [--life SEED]`."""

import argparse
import sys

from recombination.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="recombination", description=__doc__)
    parser.add_argument("--lives", type=int, default=500, help="how many, from seed 0 on")
    parser.add_argument("--life", type=int, help="run this one alone")
    given = parser.parse_args()
    seeds = range(given.lives) if given.life is None else [given.life]
    result = run(seeds)
    print(result)
    for violation in result.violations:
        print(violation, file=sys.stderr)
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
