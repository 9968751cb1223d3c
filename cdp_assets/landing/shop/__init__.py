"""Shop database -> `raw.*`: one landing table per table of the shop.

Belongs here: which columns are read, how changes are found and how they are written, table by table. Does not belong
here: connections to the shop (`sources.shop`), cleaning (dbt), Dagster (`assets`).
"""
