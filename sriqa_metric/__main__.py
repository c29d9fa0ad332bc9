"""`python -m sriqa_metric` is `sriqa-score`."""

from .cli.score import main

if __name__ == "__main__":
    main()
