"""Data services of experiments as catalogues: finding their plug-ins, asking them, and checking what they say."""
