"""Understanding: what a notebook says and what a session did. Values in, values out; replay/ is not known here."""
