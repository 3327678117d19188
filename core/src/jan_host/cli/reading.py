"""The library as a command reads it for itself, with no server and no host."""

from pathlib import Path

from jan_host.cli.session import Session
from jan_host.contract.errors import ModelNotFoundError
from jan_host.library import Library


def library_of(session: Session) -> Library:
    """The library of the session's root, looked at."""
    config = session.config()
    library = Library(
        models_folder=config.models_folder,
        folders=config.library_folders,
        engines_folder=config.engines_folder,
        engines=session.plugins().engines(),
    )
    library.refresh()
    return library


def library_at(session: Session, path: Path) -> Library:
    """The library to which a path belongs: the session's, or else one of this path alone.

    Raises:
        ModelNotFoundError: There is no such file or folder.
    """
    path = path.absolute()
    if not path.exists():
        raise ModelNotFoundError(f"There is no model, file or folder {str(path)!r}. See: jan-host models")
    config = session.config()
    if any(path.is_relative_to(root) for root in (config.models_folder, *config.library_folders)):
        return library_of(session)
    folder = path if path.is_dir() else path.parent
    library = Library(
        models_folder=folder / ".none",  # hidden, so never seen: nothing here is jan-host's own
        folders=[folder],
        engines_folder=config.engines_folder,
        engines=session.plugins().engines(),
    )
    library.refresh()
    return library
