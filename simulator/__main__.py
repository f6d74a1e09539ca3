"""`python -m simulator`."""

from simulator.command import simulator

simulator(prog_name="python -m simulator")
