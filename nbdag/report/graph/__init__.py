"""The session as a picture: what each cell makes, what needs it, what a plan does with it.

``scene`` decides what is where, without a format; ``drawing`` is the scene as SVG, ``page`` the drawing as a
self-contained HTML page, ``notations`` the graph as DOT, Mermaid and JSON.
"""
