"""Questions to a session, asked of the live one and of the restored one: the answers have to be the same.

Nothing of nbdag is in here. ``facts(namespace)`` goes on where the session stands: the next prime, the next line of the
file, the next random number. So each session is asked once.
"""

import hashlib
import pickle


def facts(session):
    """The answers as text, by question."""

    def digest(value):
        return hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()[:12]

    np, pd, random = session["np"], session["pd"], session["random"]
    wine, features, first_wines = session["wine"], session["features"], session["first_wines"]
    answers = {
        "wine, row by row": digest(pd.util.hash_pandas_object(wine).to_numpy().tobytes()),
        "by_class": digest(session["by_class"].to_csv()),
        "features": digest(features.tobytes()),
        "first_wines is a view into features": np.shares_memory(features, first_wines),
        "predictions of the model": digest(session["model"].predict_proba(wine.drop(columns="target")).tobytes()),
        "scores": digest(sorted(session["scores"].items())),
        "lucky, drawn without a seed": session["lucky"],
        "shuffled, drawn without a seed": digest(session["shuffled"].tobytes()),
        "the lambdas' answers": [int(session["grade"][name](wine).sum()) for name in session["grade"]],
        "in_percent(0.125)": session["in_percent"](0.125),
        "lines in the figure's axes": [len(axes.get_children()) for axes in session["axes"]],
        "the axes belong to the figure": session["axes"][0].figure is session["figure"],
        "report": session["report"],
        "the counter's next number": session["tick"](),
        "the generator's next primes": [next(session["prime"]) for _ in range(3)],
        "the file's next line": session["notes"].readline(),
        "the next random number": random.random(),
        "numpy's next random numbers": np.random.rand(2).tolist(),
    }
    first_wines[0, 0] = 12345.0
    answers["a change to the view reaches features"] = float(features[0, 0])
    return {question: repr(answer) for question, answer in answers.items()}
