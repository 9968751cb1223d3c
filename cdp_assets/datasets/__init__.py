"""Datasets A to F: what a data scientist or marketer trains on and looks at, one row per stated grain, per tenant.

Each dataset is a folder of plain functions from canonical frames (`frames`) to one table: `build` makes it, `contract`
names its columns and rules, `checks` decide whether it is published, `pictures` show it. `publish` writes: version,
checks, then table and `LATEST`. `catalog` lists them all; `assets` is the thin part that knows Dagster.
"""
