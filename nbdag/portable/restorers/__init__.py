"""How values are put together again on the target: the functions that the pickles of a bundle call by name.

They are linked into every ``restore.py`` that needs them. Arguments, once released, never change their meaning:
bundles of earlier versions must restore for ever.
"""
