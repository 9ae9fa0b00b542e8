# scikit-learn
# needs: scikit-learn numpy
# %%
import sklearn.cluster
import sklearn.compose
import sklearn.datasets
import sklearn.decomposition
import sklearn.ensemble
import sklearn.feature_extraction.text
import sklearn.gaussian_process
import sklearn.linear_model
import sklearn.model_selection
import sklearn.naive_bayes
import sklearn.neighbors
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import sklearn.svm
import sklearn.tree

X, y = sklearn.datasets.load_iris(return_X_y=True)
texts = ["red wine", "white wine", "green tea"]

# %% forest: sklearn.ensemble.RandomForestClassifier
forest = sklearn.ensemble.RandomForestClassifier(10, random_state=0).fit(X, y)
# probe: forest.predict_proba(X[::30]).tolist()

# %% boosted: sklearn.ensemble.HistGradientBoostingClassifier
boosted = sklearn.ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, y)
# probe: boosted.predict(X[::30]).tolist()

# %% stages: sklearn.ensemble.GradientBoostingRegressor
stages = sklearn.ensemble.GradientBoostingRegressor(n_estimators=5, random_state=0).fit(X, y)
# probe: stages.predict(X[::30]).tolist()

# %% tree: sklearn.tree.DecisionTreeClassifier
tree = sklearn.tree.DecisionTreeClassifier(random_state=0).fit(X, y)
# probe: tree.predict(X[::30]).tolist(), tree.tree_.node_count

# %% linear: sklearn.linear_model.LinearRegression
linear = sklearn.linear_model.LinearRegression().fit(X, y)
# probe: [round(float(v), 9) for v in linear.predict(X[::30])]

# %% logistic: sklearn.linear_model.LogisticRegression
logistic = sklearn.linear_model.LogisticRegression(max_iter=300).fit(X, y)
# probe: logistic.predict(X[::30]).tolist()

# %% lasso: sklearn.linear_model.Lasso
lasso = sklearn.linear_model.Lasso(alpha=0.1).fit(X, y)
# probe: [round(float(v), 9) for v in lasso.coef_]

# %% stochastic: sklearn.linear_model.SGDClassifier
stochastic = sklearn.linear_model.SGDClassifier(random_state=0).fit(X, y)
# probe: stochastic.predict(X[::30]).tolist()

# %% margin: sklearn.svm.SVC
margin = sklearn.svm.SVC(random_state=0).fit(X, y)
# probe: margin.predict(X[::30]).tolist()

# %% near: sklearn.neighbors.KNeighborsClassifier
near = sklearn.neighbors.KNeighborsClassifier().fit(X, y)
# probe: near.predict(X[::30]).tolist()

# %% index: sklearn.neighbors.KDTree
index = sklearn.neighbors.KDTree(X)
# probe: index.query(X[:2], k=2)[1].tolist()

# %% bayes: sklearn.naive_bayes.GaussianNB
bayes = sklearn.naive_bayes.GaussianNB().fit(X, y)
# probe: bayes.predict(X[::30]).tolist()

# %% network: sklearn.neural_network.MLPClassifier
network = sklearn.neural_network.MLPClassifier((5,), max_iter=30, random_state=0).fit(X, y)
# probe: network.predict(X[::30]).tolist()

# %% process: sklearn.gaussian_process.GaussianProcessRegressor
process = sklearn.gaussian_process.GaussianProcessRegressor(random_state=0).fit(X[::10], y[::10])
# probe: [round(float(v), 6) for v in process.predict(X[::40])]

# %% means: sklearn.cluster.KMeans
means = sklearn.cluster.KMeans(3, random_state=0, n_init=2).fit(X)
# probe: means.predict(X[::30]).tolist()

# %% crowd: sklearn.cluster.DBSCAN
crowd = sklearn.cluster.DBSCAN().fit(X)
# probe: crowd.labels_.tolist()[::20]

# %% axes: sklearn.decomposition.PCA
axes = sklearn.decomposition.PCA(2).fit(X)
# probe: [round(float(v), 9) for v in axes.explained_variance_]

# %% scaler: sklearn.preprocessing.StandardScaler
scaler = sklearn.preprocessing.StandardScaler().fit(X)
# probe: scaler.mean_.tolist()

# %% coder: sklearn.preprocessing.OneHotEncoder
coder = sklearn.preprocessing.OneHotEncoder().fit(y[:, None])
# probe: coder.transform([[1]]).toarray().tolist()

# %% names: sklearn.preprocessing.LabelEncoder
names = sklearn.preprocessing.LabelEncoder().fit(texts)
# probe: names.transform(["green tea"]).tolist()

# %% terms: sklearn.feature_extraction.text.TfidfVectorizer
terms = sklearn.feature_extraction.text.TfidfVectorizer().fit(texts)
# probe: terms.transform(["red tea"]).toarray().tolist()

# %% pipeline: sklearn.pipeline.Pipeline
pipeline = sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), sklearn.svm.LinearSVC(random_state=0))
pipeline.fit(X, y)
# probe: pipeline.predict(X[::30]).tolist()

# %% columns: sklearn.compose.ColumnTransformer
columns = sklearn.compose.ColumnTransformer([("s", sklearn.preprocessing.StandardScaler(), [0, 1])]).fit(X)
# probe: columns.transform(X[:1]).tolist()

# %% search: sklearn.model_selection.GridSearchCV
search = sklearn.model_selection.GridSearchCV(sklearn.neighbors.KNeighborsClassifier(), {"n_neighbors": [1, 5]}).fit(
    X, y
)
# probe: search.best_params_, search.predict(X[::30]).tolist()

# %% folds: sklearn.model_selection.StratifiedKFold
folds = sklearn.model_selection.StratifiedKFold(3, shuffle=True, random_state=0)
# probe: [len(a) for a, b in folds.split(X, y)]

# %% bunch: sklearn.utils.Bunch
bunch = sklearn.datasets.load_iris()
# probe: bunch.target_names.tolist(), bunch.data.shape
