"""Checks: what must hold of the rows that a stage has written, measured per tenant.

Plain modules measure: each function reads a tenant's rows and returns a `Measure`. `ops` and one module per stage
(`landing`, `embedding`) alone know Dagster: they turn a catalogue into one check op per asset. What a check means
(compares what, passes when, how to mend it, whether it blocks) stands in `catalog` and `vector_catalog`.
"""
