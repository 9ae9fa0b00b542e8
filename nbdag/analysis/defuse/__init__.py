"""Definition and use: libcst tree -> lowered code -> evaluated statements."""
