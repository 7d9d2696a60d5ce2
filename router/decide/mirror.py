"""Whether what a data service tells is to be believed, and when it is asked again."""

from router.model.data_service import Answered, ServiceAnswer, ServiceSettings

DOUBT_S = 86400.0
"""So long what a service told before is held against an answer that takes all away, in seconds: a day for a mishap."""
AGAIN_S = 60.0
"""A service that gave no usable answer is asked for the same again after so many seconds."""


def doubt(known: Answered | None, answer: ServiceAnswer, now: float) -> str:
    """Why an answer is not believed; empty: it is."""
    if known is None or not known.answered or now >= known.answered + DOUBT_S:
        return ""
    if known.files and not answer.files:
        return f"the data service {answer.service} says that {answer.dataset} is empty, which had {known.files:,} files"
    if known.copies and not answer.copies:
        return f"the data service {answer.service} says that no site has a file of {answer.dataset} any more"
    return ""


def is_due(known: Answered | None, service: ServiceSettings, now: float) -> bool:
    """Whether a service is to be asked for a dataset."""
    if known is None:
        return True
    if known.words:
        return not known.asked <= now < known.asked + min(AGAIN_S, service.keep_s)
    return not known.answered <= now < known.answered + service.keep_s
