"""The values that cross stages, all frozen: the glossary of nbdag.

A module a stage. Read in this order they are the way of the data::

    notebook -> facts -+
                       +-> graph -> plan -> bundle -> results
    kernel -> trace ---+

``findings`` may come out of any of them. A word is imported from the module it stands in; there is none here.

Units: seconds, bytes, unix time. Lines count from 1 and columns from 0, in characters of the text the user wrote.
"""
