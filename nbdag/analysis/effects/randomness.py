"""RANDOM: draws from, or seeds, a generator that the whole process shares."""

from nbdag.analysis.effects.rules import UNKNOWN, RuleSet, Shape
from nbdag.model.facts import EffectKind


def without_random_state(shape: Shape) -> bool:
    """Without ``random_state`` the global generator of NumPy is drawn from."""
    return shape.keywords.get("random_state", UNKNOWN if "**" in shape.keywords else None) in (None, UNKNOWN)


def without_shuffle_off(shape: Shape) -> bool:
    return shape.keywords.get("shuffle") is not False and without_random_state(shape)


UNSEEDED = "sklearn.unseeded.Estimator"  # the type of an estimator that draws from the global generator when fitted
_RANDOM_ESTIMATORS = """
    sklearn.ensemble.RandomForestClassifier sklearn.ensemble.RandomForestRegressor
    sklearn.ensemble.ExtraTreesClassifier sklearn.ensemble.ExtraTreesRegressor
    sklearn.ensemble.GradientBoostingClassifier sklearn.ensemble.GradientBoostingRegressor
    sklearn.ensemble.HistGradientBoostingClassifier
    sklearn.ensemble.HistGradientBoostingRegressor sklearn.ensemble.AdaBoostClassifier
    sklearn.ensemble.AdaBoostRegressor
    sklearn.ensemble.BaggingClassifier sklearn.ensemble.BaggingRegressor sklearn.ensemble.IsolationForest
    sklearn.tree.DecisionTreeClassifier sklearn.tree.DecisionTreeRegressor sklearn.tree.ExtraTreeClassifier
    sklearn.neural_network.MLPClassifier sklearn.neural_network.MLPRegressor sklearn.neural_network.BernoulliRBM
    sklearn.linear_model.SGDClassifier sklearn.linear_model.SGDRegressor sklearn.linear_model.Perceptron
    sklearn.linear_model.PassiveAggressiveClassifier sklearn.cluster.KMeans sklearn.cluster.MiniBatchKMeans
    sklearn.cluster.BisectingKMeans sklearn.cluster.SpectralClustering sklearn.mixture.GaussianMixture
    sklearn.mixture.BayesianGaussianMixture sklearn.manifold.TSNE sklearn.manifold.MDS
    sklearn.manifold.SpectralEmbedding sklearn.decomposition.FastICA sklearn.decomposition.NMF
    sklearn.decomposition.LatentDirichletAllocation sklearn.decomposition.MiniBatchNMF
    sklearn.random_projection.GaussianRandomProjection sklearn.random_projection.SparseRandomProjection
    sklearn.model_selection.RandomizedSearchCV sklearn.model_selection.ShuffleSplit
    sklearn.model_selection.StratifiedShuffleSplit
"""


RULES = RuleSet(
    kind=EffectKind.RANDOM,
    calls="""
        random.* numpy.random.*
        torch.rand torch.randn torch.randint torch.randperm torch.rand_like torch.randn_like torch.normal
        torch.bernoulli torch.multinomial torch.manual_seed torch.seed torch.random.* torch.cuda.manual_seed
        torch.cuda.manual_seed_all torch.nn.init.* torch.nn.functional.dropout torch.utils.data.random_split
        torch.nn.Linear torch.nn.Conv1d torch.nn.Conv2d torch.nn.LSTM torch.nn.GRU torch.nn.RNN torch.nn.Embedding
        torch.set_rng_state torch.Tensor.normal_ torch.Tensor.uniform_ torch.Tensor.random_
        tensorflow.random.* tensorflow.keras.utils.set_random_seed jax.random.key
        scipy.stats.distribution.rvs scipy.stats.norm.rvs scipy.stats.uniform.rvs scipy.stats.expon.rvs
        scipy.stats.t.rvs scipy.stats.gamma.rvs scipy.stats.beta.rvs scipy.stats.poisson.rvs scipy.stats.binom.rvs
        scipy.stats.lognorm.rvs scipy.stats.bootstrap scipy.stats.permutation_test scipy.sparse.random
        scipy.optimize.differential_evolution scipy.optimize.dual_annealing scipy.optimize.basinhopping
        seaborn.barplot seaborn.lineplot seaborn.pointplot seaborn.regplot seaborn.lmplot seaborn.stripplot
        seaborn.relplot seaborn.catplot
        polars.DataFrame.sample polars.Series.sample
        sklearn.unseeded.Estimator.fit sklearn.unseeded.Estimator.fit_predict sklearn.unseeded.Estimator.fit_transform
        sklearn.unseeded.Estimator.partial_fit
    """,
    judged=(
        ("pandas.DataFrame.sample pandas.Series.sample pandas.GroupBy.sample sklearn.utils.shuffle "
         "sklearn.utils.resample sklearn.datasets.make_classification sklearn.datasets.make_regression "
         "sklearn.datasets.make_blobs sklearn.datasets.make_moons sklearn.datasets.make_circles "
         "sklearn.datasets.make_s_curve sklearn.datasets.make_swiss_roll sklearn.datasets.make_friedman1 "
         "sklearn.datasets.make_multilabel_classification sklearn.inspection.permutation_importance",
         without_random_state),
        ("sklearn.model_selection.train_test_split", without_shuffle_off),
    ),
    methods="rvs resample",
    judged_methods=(("sample", without_random_state),),
    # Objects of their own, and what only looks.
    not_calls="""
        random.Random random.SystemRandom random.getstate numpy.random.default_rng numpy.random.RandomState
        numpy.random.Generator numpy.random.SeedSequence numpy.random.PCG64 numpy.random.MT19937
        numpy.random.Philox numpy.random.SFC64 numpy.random.get_state
        numpy.random.Generator.* numpy.random.RandomState.* random.Random.* random.SystemRandom.*
    """,
)  # fmt: skip

# Estimators that draw from NumPy's global generator when they are fitted, unless they are given a random_state.
RANDOM_ESTIMATORS = frozenset(_RANDOM_ESTIMATORS.split())
