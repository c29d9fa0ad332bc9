"""`sriqa-calibrate evaluate`: how far any metric agrees with people, with intervals."""
