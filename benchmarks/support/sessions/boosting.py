# XGBoost and LightGBM
# needs: xgboost lightgbm numpy
# %%
import lightgbm
import numpy as np
import xgboost

X = np.random.default_rng(0).normal(size=(80, 3))
y = (X[:, 0] > 0).astype(int)

# %% trees: xgboost.XGBClassifier
trees = xgboost.XGBClassifier(n_estimators=3).fit(X, y)
# probe: trees.predict_proba(X[:3]).tolist()

# %% booster: xgboost.Booster
booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, y), 3)
# probe: booster.predict(xgboost.DMatrix(X[:3])).tolist()

# %% packed: xgboost.DMatrix
packed = xgboost.DMatrix(X, y)
# probe: packed.num_row(), packed.get_label().tolist()[:3]

# %% leaves: lightgbm.LGBMClassifier
leaves = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, y)
# probe: leaves.predict(X[:3]).tolist()

# %% light: lightgbm.Booster
light = lightgbm.train({"verbose": -1, "objective": "binary"}, lightgbm.Dataset(X, y), 3)
# probe: light.predict(X[:3]).tolist()

# %% binned: lightgbm.Dataset
binned = lightgbm.Dataset(X, y)
# probe: binned.construct().num_data()
