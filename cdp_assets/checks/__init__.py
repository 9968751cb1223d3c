"""Checks: what must hold of the rows that a stage has written, measured per tenant.

Plain modules measure: each function reads a tenant's rows and returns a `Measure`. `landing` alone knows Dagster:
it turns the catalogue into one check op per landing asset. What a check means (compares what, passes when, how to
mend it, whether it blocks) stands in `catalog`.
"""
