#!/usr/bin/python3
"""Write networks with random weights that stand in for the licensed ones: see tools/twins/."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from twins.command import main  # noqa: E402  (the folder of that name, not this file)

if __name__ == '__main__':
    main()
