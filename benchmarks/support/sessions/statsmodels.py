# statsmodels
# needs: statsmodels pandas numpy
# %%
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
import statsmodels.tsa.api as tsa

frame = pd.DataFrame({"x": np.arange(20.0), "y": np.arange(20.0) * 2 + np.sin(np.arange(20.0))})

# %% fitted: statsmodels.RegressionResultsWrapper
fitted = smf.ols("y ~ x", frame).fit()
# probe: [round(float(p), 9) for p in fitted.params], round(float(fitted.predict({"x": [30]}).iloc[0]), 6)

# %% model: statsmodels.OLS
model = sm.OLS(frame["y"], sm.add_constant(frame["x"]))
# probe: [round(float(p), 9) for p in model.fit().params]

# %% general: statsmodels.GLMResultsWrapper
general = sm.GLM(frame["y"], sm.add_constant(frame["x"])).fit()
# probe: [round(float(p), 6) for p in general.params]

# %% robust: statsmodels.RLMResultsWrapper
robust = sm.RLM(frame["y"], sm.add_constant(frame["x"])).fit()
# probe: [round(float(p), 6) for p in robust.params]

# %% series: statsmodels.AutoRegResultsWrapper
series = tsa.AutoReg(frame["y"], 1).fit()
# probe: [round(float(p), 6) for p in series.params]

# %% smoothing: statsmodels.HoltWintersResultsWrapper
smoothing = tsa.ExponentialSmoothing(frame["y"], trend="add").fit()
# probe: [round(float(p), 4) for p in smoothing.forecast(2)]

# %% arima: statsmodels.ARIMAResultsWrapper
arima = tsa.ARIMA(frame["y"].to_numpy(), order=(1, 0, 0)).fit()
# probe: [round(float(p), 4) for p in arima.forecast(2)]

# %% table: statsmodels.SimpleTable
table = fitted.summary().tables[1]
# probe: table.as_text()
