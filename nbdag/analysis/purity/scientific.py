"""scikit-learn, and what builds on its conventions: ``fit`` changes the estimator and nothing else."""

_ESTIMATOR = {
    # A pipeline fits the steps that it holds.
    "fit partial_fit set_params set_output fit_resample": "self deep same",
    "fit_transform fit_predict": "self deep nocopy view -> numpy.ndarray",  # labels_ and embedding_ themselves
    "transform inverse_transform": "nocopy -> numpy.ndarray",
    "predict predict_proba predict_log_proba decision_function score_samples kneighbors "
    "staged_predict apply cost_complexity_pruning_path sample": "-> numpy.ndarray",
    "staged_predict_proba staged_decision_function decision_path kneighbors_graph get_covariance get_precision": "",
    "score": "-> float",
    "get_params": "parts -> dict",
    "get_feature_names_out": "-> numpy.ndarray",
    "split": "parts -> iterator",
    "get_n_splits": "-> int",
    "get_depth get_n_leaves": "-> int",
}

FUNCTIONS = {
    "sklearn.": {
        # copy=False is the exception that the docs of each function name; those are the preprocessing ones.
        "metrics.*function": "",
        "metrics.*Type": "parts -> sklearn.Display",
        "metrics.*.from_estimator metrics.*.from_predictions": "-> sklearn.Display",
        "model_selection.train_test_split": "view -> sklearn.Split",
        "model_selection.cross_val_score model_selection.cross_val_predict": "-> numpy.ndarray",
        "model_selection.cross_validate": "-> dict",
        "model_selection.*function": "",
        "datasets.load_iris datasets.load_wine datasets.load_digits datasets.load_diabetes datasets.load_breast_cancer "
        "datasets.fetch_california_housing datasets.fetch_openml": "-> sklearn.Bunch",
        "datasets.*": "-> sklearn.Split",
        "utils.shuffle utils.resample": "",
        "utils.check_random_state": "view",
        "pipeline.make_pipeline pipeline.make_union compose.make_column_transformer": "parts -> sklearn.Estimator",
        "base.clone": "-> sklearn.Estimator",
        "set_config": "-> None",
        "inspection.*": "",
        "tree.plot_tree tree.export_text tree.export_graphviz": "",
        "decomposition.*function cluster.*function manifold.*function": "",
        "feature_extraction.*function feature_selection.*function": "",
        "preprocessing.*function": "nocopy view -> numpy.ndarray",
        "*Type": "parts nocopy -> sklearn.Estimator",  # StandardScaler(copy=False) changes what it transforms
    },
    "xgboost.": {"DMatrix": "parts -> xgboost.DMatrix", "*Type": "parts -> sklearn.Estimator"},
    "lightgbm.": {"*Type": "parts -> sklearn.Estimator"},
    "statsmodels.": {
        # Models keep what they are given and compute from it.
        "formula.api.*": "parts -> statsmodels.Model",
        "api.add_constant tools.tools.add_constant tools.add_constant api.tools.add_constant": "view",
        "api.datasets.* datasets.*": "-> statsmodels.Data",
        "stats.*function api.stats.*function": "",
        "stats.*Type api.stats.*Type": "parts -> statsmodels.Results",
        "tsa.*function api.tsa.*function": "",
        "graphics.* api.graphics.* api.qqplot": "-> matplotlib.Figure",
        "api.families.* genmod.families.*": "parts -> immutable",
        "nonparametric.*function api.nonparametric.*function": "-> numpy.ndarray",
        "api.load": "",
        "*Type": "parts -> statsmodels.Model",
    },
}  # fmt: skip

METHODS = {
    "sklearn.Estimator sklearn.*": _ESTIMATOR,
    "sklearn.Display": {"plot": "self same"},
    "sklearn.Bunch": {"keys values items get": "view"},
    "statsmodels.Model": {
        # A fit caches in the model; the model is all it changes.
        "fit fit_regularized fit_constrained fit_map smooth filter": "self view -> statsmodels.Results",
        "from_formula": "parts -> statsmodels.Model",
        "predict loglike score hessian information": "self? -> numpy.ndarray",
    },
    "statsmodels.Results": {
        # Results compute lazily and keep what they have computed.
        "summary summary2": "self? -> statsmodels.Summary",
        "predict forecast conf_int cov_params t_test f_test wald_test wald_test_terms get_prediction get_forecast "
        "simulate get_influence resid_pearson summary_frame compare_lr_test compare_f_test compare_lm_test "
        "eval_measure get_margeff get_distribution impulse_responses test_normality test_serial_correlation "
        "test_heteroskedasticity information_criteria load save get_robustcov_results outlier_test aic bic mv_test "
        "irf fevd orth_ma_rep test_causality test_whiteness anova_lm remove_data": "self?",
        "plot_diagnostics plot_components plot_predict plot plot_forecast plot_coefficients_of_determination "
        "plot_recursive_coefficient plot_cusum plot_cusum_squares plot_added_variable plot_partial_residuals "
        "plot_ceres_residuals plot_influence plot_acorr plot_sample_acorr plot_sim": "self? -> matplotlib.Figure",
    },
    "statsmodels.Summary": {"*": "-> str"},
    "statsmodels.Data": {"load load_pandas": "-> statsmodels.Data"},
}

ATTRIBUTES = {
    "sklearn.Bunch": {"data target": "numpy.ndarray", "frame": "pandas.DataFrame", "DESCR": "str"},
    "sklearn.Split": {"[]": "sklearn.Part"},
    "statsmodels.Results": {
        # A Series or an array: what a Series does not change, an array of the same method does not either.
        "params bse pvalues tvalues resid fittedvalues predictedvalues forecasts": "pandas.Series",
        "model": "statsmodels.Model",
        "aic bic rsquared rsquared_adj llf nobs df_resid df_model fvalue f_pvalue mse_resid scale": "scalar",
    },
    "statsmodels.Data": {"data": "pandas.DataFrame", "endog": "pandas.Series", "exog": "pandas.DataFrame"},
}

OTHER_VERSIONS = frozenset(("sklearn.Estimator.fit_resample",))
"""Of imbalanced-learn, which keeps the conventions."""
