"""Checks: what must hold of the rows that a stage has written, measured per tenant.

Plain modules measure: each function reads a tenant's rows and returns a `Measure`. One module per stage
(`landing`, `embedding`) alone knows Dagster: it turns a catalogue into one check op per asset. What a check
means (compares what, passes when, how to mend it, whether it blocks) stands in `catalog` and `vector_catalog`. A
dataset's checks are with the dataset: they decide whether it is published; the shop's tables have theirs in
`landing.shop`, where one step loads and checks all of them.
"""
