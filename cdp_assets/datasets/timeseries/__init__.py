"""Dataset D: what is sold day by day and week by week, per article, category and in total, and what comes next.

Every level is complete (a day without a sale is a row with zeros) and coherent: articles and the rest of a category add
up to the category, categories to their roots, roots to the total, exactly, on every day.
"""

from cdp_assets.datasets.timeseries.dataset import DAILY, FORECAST, WEEKLY

DATASETS = (DAILY, WEEKLY, FORECAST)
