"""How fast and how well glideroute does its work: `python -m benchmarks NAME`, and README.md beside this file."""
