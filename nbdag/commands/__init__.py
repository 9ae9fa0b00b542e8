"""One module per command of the command line: its options, one call of the pipeline, one report.

``options`` holds what they share; ``nbdag.cli`` names them and turns errors into text.
"""
