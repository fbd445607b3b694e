"""Task accuracy: metrics of artifacts on labelled data, with confidence intervals and paired tests."""
