"""What a pipeline of events must stand, measured from outside; ends with 1 where a figure is beyond its limit.

    make events                                  every part (ten minutes)
    make events EVENTS_ARGS='--part kills'       one of: storm, kills, kills-nats, backfill, secrets, write, snapshot

1. storm: 10,000 events of 5 KB, a connection each, 32 at once: all 200, p99 under 2 s, 2.5 ms of CPU each
2. kills: receiver and lander killed 20 times in 5,000 events, 5 % sent twice: nothing lost, nothing there twice
3. kills-nats: the same on NATS JetStream, whose server is killed too; NATS_SERVER names another one than Debian's
4. backfill: 20,000 deliveries of 5 KB and 20 of 20 MB are brought in bounded memory
5. secrets: 50 planted strings in 10,000 events: none found; all found with the data policy's protection off
6. write: at most twice plain Parquet in the same run; with leaves at least 4,000 rows a CPU second
7. snapshot: 1,000,000 rows in bounded memory.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import filling
import keeping
import receiving

PARTS = {
    "storm": receiving.storm,
    "kills": receiving.kills,
    "kills-nats": receiving.kills_nats,
    "backfill": filling.backfill,
    "secrets": keeping.secrets,
    "write": keeping.write,
    "snapshot": keeping.snapshot,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="one part; may be given again")
    chosen = parser.parse_args().part or list(PARTS)
    failed = False
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="sealift-events-") as folder:
            for good, line in PARTS[name](Path(folder)):
                failed |= not good
                print(f"{name}: {'' if good else 'FAILED: '}{line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
