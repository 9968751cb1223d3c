"""Audiences, the segments of LEO as partitions `segment|tenant`: who is in them, what they are like, who is like them.

`snapshot` keeps members as numbered snapshots, `comparison` holds them beside all customers, `lookalike` finds who is
near them, `checks` say whether all of it agrees. `assets` is the thin part that knows Dagster.
"""
