"""`python -m qbo_client.simulator`."""

from qbo_client.simulator.command import simulator

simulator(prog_name="python -m qbo_client.simulator")
