"""The one base class of every error that a user can cause and can put right."""


class SriqaError(ValueError):
    """Something in the input, the weights or the settings is wrong.

    The message names what was wrong, quotes it, and says the way out. The command line
    prints it without a traceback.
    """


class ImageError(SriqaError):
    """An image that cannot be read; the message starts with its path and says the way out."""


class WeightsError(SriqaError):
    """A weights file that is missing, damaged or made for something else."""
