"""How what an asset returns is stored, and handed to the assets that build on it.

Belongs here: Dagster's side of storage. The tables themselves are written by plain modules of the stages.
"""
