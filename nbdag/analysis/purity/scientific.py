"""scikit-learn, and what builds on its conventions: ``fit`` changes the estimator and nothing else."""

_ESTIMATOR = {
    "fit partial_fit set_params set_output fit_resample": "self same",
    "fit_transform fit_predict": "self -> numpy.ndarray",
    "transform predict predict_proba predict_log_proba decision_function inverse_transform score_samples kneighbors "
    "staged_predict apply cost_complexity_pruning_path sample": "-> numpy.ndarray",
    "score": "-> float",
    "get_params": "-> dict",
    "get_feature_names_out": "-> numpy.ndarray",
    "split": "view -> iterator",
    "get_n_splits": "-> int",
    "get_depth get_n_leaves": "-> int",
}

FUNCTIONS = {
    "sklearn.": {
        # copy=False is the exception that the docs of each function name; those are the preprocessing ones.
        "metrics.*function": "",
        "metrics.*Type": "view -> sklearn.Display",
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
        "pipeline.make_pipeline pipeline.make_union compose.make_column_transformer": "view -> sklearn.Estimator",
        "base.clone": "-> sklearn.Estimator",
        "set_config": "-> None",
        "inspection.*": "",
        "tree.plot_tree tree.export_text tree.export_graphviz": "",
        "decomposition.*function cluster.*function manifold.*function": "",
        "feature_extraction.*function feature_selection.*function": "",
        "preprocessing.*function": "view -> numpy.ndarray",
        "*Type": "view -> sklearn.Estimator",
    },
    "xgboost.": {"DMatrix": "view -> xgboost.DMatrix", "*Type": "view -> sklearn.Estimator"},
    "lightgbm.": {"*Type": "view -> sklearn.Estimator"},
    "statsmodels.": {
        # Models keep what they are given and compute from it.
        "formula.api.*": "view -> statsmodels.Model",
        "api.add_constant tools.tools.add_constant api.tools.add_constant": "view",
        "api.datasets.* datasets.*": "-> statsmodels.Data",
        "api.*Type": "view -> statsmodels.Model",
        "tsa.api.*Type tsa.*Type": "view -> statsmodels.Model",
        "api.tsa.*Type": "view -> statsmodels.Model",
        "stats.* api.stats.*": "",
        "tsa.stattools.* api.tsa.stattools.*": "",
        "graphics.* api.graphics.*": "-> matplotlib.Figure",
        "genmod.*Type regression.*Type discrete.*Type": "view -> statsmodels.Model",
    },
}  # fmt: skip

METHODS = {
    "sklearn.Estimator sklearn.*": _ESTIMATOR,
    "sklearn.Display": {"plot": "self same"},
    "sklearn.Bunch": {"keys values items get": "view"},
    "statsmodels.Model": {
        # A fit caches in the model; the model is all it changes.
        "fit fit_regularized fit_constrained smooth filter": "self view -> statsmodels.Results",
    },
    "statsmodels.Results": {
        "summary summary2": "-> statsmodels.Summary",
        "predict forecast conf_int cov_params t_test f_test wald_test get_prediction get_forecast simulate "
        "get_influence resid_pearson": "",
        "plot_diagnostics plot_components plot_predict": "-> matplotlib.Figure",
    },
    "statsmodels.Summary": {"*": "-> str"},
    "statsmodels.Data": {"load load_pandas": "-> statsmodels.Data"},
}

ATTRIBUTES = {
    "sklearn.Bunch": {"data target": "numpy.ndarray", "frame": "pandas.DataFrame", "DESCR": "str"},
    "sklearn.Split": {"[]": "sklearn.Part"},
    "statsmodels.Data": {"data": "pandas.DataFrame", "endog": "pandas.Series", "exog": "pandas.DataFrame"},
}
