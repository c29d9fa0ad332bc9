"""Whatever gives scores of images: our metrics, pyiqa's, and files of scores made elsewhere."""
