"""What may go wrong with a request, as one kind of page or problem each."""

from __future__ import annotations

from practice.sessions import Session


class WebError(Exception):
    """An answer that is not the page asked for. The texts are for the person; they name no client."""

    status = 500
    title = "Something failed on our side"
    remedy = "Try again. In an emergency call the local emergency number now."


class SignInNeeded(WebError):
    """Nobody is signed in, or the session is locked or owes its second factor."""

    status = 401
    title = "Sign in to go on"
    remedy = "Sign in with your account."

    def __init__(self, session: Session | None) -> None:
        super().__init__(self.title)
        self.session = session


class FormTooOld(WebError):
    """The form belongs to another session."""

    status = 403
    title = "This form belongs to an earlier sign-in"
    remedy = "Look at what you typed and send it again."


class Denied(WebError):
    """This person may not do that."""

    status = 403
    title = "You may not see or do this"
    remedy = "Ask your supervisor, or open it in an emergency with a reason."


class NotThere(WebError):
    """There is nothing of that name, or nothing that this person may know of."""

    status = 404
    title = "There is nothing here"
    remedy = "Go back to your queue."


class NotTold(WebError):
    """An episode can't be told from the records."""

    status = 404
    remedy = (
        "Look for it under Audit, by the beginning of its id. `holdfast audit verify` says what became of a record."
    )

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.title = f"{why[:1].upper()}{why[1:]}"


class Unwritten(WebError):
    """The access trail takes nothing now, so nothing of a client is shown."""

    status = 503
    title = "It can't be written down that you look"
    remedy = "Nothing of a client is shown without that. Try again in a moment; an open episode's own page still opens."


class Refused(WebError):
    """The practice's data can't be changed like this."""

    status = 422
    title = "Nothing was changed"

    def __init__(self, title: str, remedy: str) -> None:
        super().__init__(title)
        self.title, self.remedy = f"{title[:1].upper()}{title[1:]}", remedy


class NotDeclared(WebError):
    """An emergency that was not taken, told to somebody who may not see the episode."""

    status = 503
    title = "The emergency may not be written down"
    remedy = "Call the local emergency number now. Then press Emergency again, or tell the supervisor."


class NotPublished(WebError):
    """No version of the protocol is in effect, or none can be made out."""

    status = 409
    title = "No version of this protocol is in effect"
    remedy = "Ask clinical operations to publish one; use the paper fallback meanwhile."


class TooOften(WebError):
    """More than anybody asks for by hand."""

    status = 429
    title = "That is more than we answer at once"
    remedy = "Wait a minute. Episodes, your queue and the emergency are not held up by this."


class TooMuch(WebError):
    """What was sent is larger than anything we take."""

    status = 413
    title = "That is more than a form may hold"
    remedy = (
        "Nothing was taken: 512 KB is the most. Go back in the browser: a form that saves what you type "
        "shows what it has saved. Shorten the text, or send a list in parts."
    )


class RecordsAway(WebError):
    """The records do not answer. The page for it needs none."""

    status = 503
    title = "The records do not answer"
    remedy = "Nothing can be shown now. Try again in a moment; use the paper fallback meanwhile."


class Away(WebError):
    """The engine or the records do not answer."""

    status = 503
    title = "The engine does not answer"
    remedy = "What you typed is kept. Send it again in a moment; use the paper fallback meanwhile."
