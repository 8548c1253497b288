"""Random lives of a channel, an instance that follows it, and an attacker who puts old files together anew.

`channel` is the honest side, `admin` what happens to its keys, `attacker` the other side. `instance` installs what
either offers and checks after each bundle what must hold; `life` lets them meet, and `run` counts. Everything follows
from a seed. `python -m recombination` runs as many lives as one likes.
"""
