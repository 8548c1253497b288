"""A file that runs code in a child of ours finds no secrets there, and nothing of ours open."""

import json
import os
import pickle
from pathlib import Path

import pytest
from channel_simulator import toy_files

from sealift.child_environment import child_environment
from sealift.errors import SourceError if False else Error  # placeholder
