"""Dataset A: who bought, carted, looked at and rated what, how often, how lately; what recommenders are trained on.

`signals` turns rows of the sources into signals, `index` gives their customers and articles integer ids, `pairs` sums
them up per customer and article, `split` parts them in time, `exports` and `card` write them for others.
"""

from cdp_assets.datasets.interactions.dataset import INTERACTIONS

DATASETS = (INTERACTIONS,)
