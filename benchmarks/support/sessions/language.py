# NLTK, gensim, spaCy
# needs: nltk gensim spacy numpy
# %%
import gensim
import nltk
import nltk.probability
import nltk.stem
import nltk.tokenize
import spacy

texts = [["red", "wine"], ["white", "wine"], ["green", "tea"]]

# %% counts: nltk.probability.FreqDist
counts = nltk.probability.FreqDist(word for text in texts for word in text)
# probe: counts.most_common(1), counts.N()

# %% crossed: nltk.probability.ConditionalFreqDist
crossed = nltk.probability.ConditionalFreqDist((text[0], text[1]) for text in texts)
# probe: crossed["red"].most_common(1)

# %% stem: nltk.stem.PorterStemmer
stem = nltk.stem.PorterStemmer()
# probe: stem.stem("running")

# %% splitter: nltk.tokenize.RegexpTokenizer
splitter = nltk.tokenize.RegexpTokenizer(r"\w+")
# probe: splitter.tokenize("a b, c")

# %% text: nltk.text.Text
text = nltk.text.Text(["a", "b", "a"])
# probe: text.count("a")

# %% tree: nltk.tree.Tree
tree = nltk.tree.Tree.fromstring("(S (NP I) (VP run))")
# probe: tree.leaves(), tree.label()

# %% grammar: nltk.grammar.CFG
grammar = nltk.CFG.fromstring("S -> A B\nA -> 'a'\nB -> 'b'")
# probe: [str(p) for p in grammar.productions()]

# %% classifier: nltk.classify.NaiveBayesClassifier
classifier = nltk.NaiveBayesClassifier.train([({"a": 1}, "x"), ({"a": 2}, "y")])
# probe: classifier.classify({"a": 2})

# %% words: gensim.corpora.Dictionary
words = gensim.corpora.Dictionary(texts)
# probe: dict(words.token2id), words.num_docs

# %% vectors: gensim.models.Word2Vec
vectors = gensim.models.Word2Vec(texts, vector_size=4, min_count=1, seed=1, workers=1)
# probe: vectors.wv["wine"].tolist()

# %% weighted: gensim.models.TfidfModel
weighted = gensim.models.TfidfModel([words.doc2bow(text) for text in texts])
# probe: [(n, float(w)) for n, w in weighted[words.doc2bow(["red", "wine"])]]

# %% topics: gensim.models.LdaModel
topics = gensim.models.LdaModel([words.doc2bow(text) for text in texts], num_topics=2, id2word=words, random_state=1)
# probe: topics.get_topics().tolist()

# %% nlp: spacy.lang.en.English
nlp = spacy.blank("en")
_ = nlp.add_pipe("sentencizer")
# probe: [t.text for t in nlp("Red wine. Tea.")], nlp.pipe_names

# %% doc: spacy.tokens.Doc
doc = nlp("Red wine is good.")
# probe: doc.text, [t.is_punct for t in doc]

# %% span: spacy.tokens.Span
span = spacy.blank("en")("Red wine is good.")[0:2]
# probe: span.text, span.doc.text

# %% vocabulary: spacy.vocab.Vocab
vocabulary = nlp.vocab
# probe: vocabulary is nlp.vocab, vocabulary["wine"].text

# %% finder: spacy.matcher.Matcher
finder = spacy.matcher.Matcher(nlp.vocab)
finder.add("WINE", [[{"LOWER": "wine"}]])
# probe: [(s, e) for _, s, e in finder(nlp("Red wine"))]
