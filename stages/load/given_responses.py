"""Solutions that come from a file instead of a policy: which of them belong to which problem.

A line of the file has `response`, and names its problem by `problem_id`, by `id` (the source's own, with `source`
where the run has several), or by `question` and `answer`. The problem files get a column with a problem's
responses; a problem without any is left out, and so is one that shares a line with another problem.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pipeline.config import RunConfig
from pipeline.errors import RowError, UserError
from pipeline.inputs import located, searched
from pipeline.records import Problem, Rejected, asked
from pipeline.store import Store
from stages.load.control_tokens import refuse_control_tokens
from stages.load.sources.files import parse_line

COLUMN = "responses"
MARK = "+responses@"
"""Parts a policy's name from the name of the responses that it was given."""
NAME = "input.responses"
AMBIGUOUS = "a line matches several problems: name the problem by `problem_id`"

Key = tuple[str, ...]
"""How a line names a problem."""


class Responses:
    """A file of responses. Memory holds where each line is, not the lines."""

    def __init__(self, path: str, several_sources: bool) -> None:
        """Reads the file once.

        Raises:
            UserError: it can't be read, or no line of it could be used.
        """
        self._path = Path(path)
        self._several = several_sources
        self._places: dict[Key, list[int]] = defaultdict(list)
        self._owners: dict[Key, str] = {}
        self.withdrawn: set[str] = set()
        """Ids of problems that `of` gave responses to which another problem's names fit as well."""
        self.rejected: list[Rejected] = []
        try:
            self._index()
        except OSError as error:
            raise UserError(f"{NAME}: {path}: can't be read: {error.strerror}") from error
        if not self._places:
            reason = f", the first: {self.rejected[0].detail}" if self.rejected else ""
            raise UserError(f"{NAME}: {path}: no line names a problem and a response{reason}")

    def of(self, problem: Problem) -> list[str]:
        """The problem's responses, in the file's order.

        Raises:
            RowError: `no_response`, or `ambiguous_response`: an earlier problem, now `withdrawn`, fits a line as well.
        """
        keys = [key for key in keys_of(problem) if key in self._places]
        if not keys:
            raise RowError("no_response", f"{self._path} has none for this problem")
        rivals = {self._owners.setdefault(key, problem.problem_id) for key in keys} - {problem.problem_id}
        if rivals:
            self.withdrawn |= rivals
            raise RowError("ambiguous_response", AMBIGUOUS)
        places = sorted(place for key in keys for place in self._places[key])
        with self._path.open("rb") as file:
            return [self._response(file, place) for place in places]

    def unmatched(self) -> int:
        """Lines that name no problem of the run."""
        return sum(len(places) for key, places in self._places.items() if key not in self._owners)

    def _index(self) -> None:
        with self._path.open("rb") as file:
            place = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        self._places[self._key(parse_line(line, number))].append(place)
                    except RowError as error:
                        self.rejected.append(Rejected(NAME, str(number), error.reason, error.detail[:500]))
                place += len(line)

    def _key(self, row: Any) -> Key:
        if isinstance(row, RowError):
            raise row
        if not isinstance(row, dict):
            raise RowError("not_an_object", f"{type(row).__name__}, not a JSON object")
        if not isinstance(row.get("response"), str) or not row["response"].strip():
            raise RowError("no_response", "`response` is not a text")
        refuse_control_tokens(row["response"])
        return key_of(row, self._several)

    def _response(self, file: IO[bytes], place: int) -> str:
        file.seek(place)
        text: str = parse_line(file.readline(), 0)["response"]
        return text


def keys_of(problem: Problem) -> list[Key]:
    """The names by which a line may mean a problem."""
    names: list[Key] = [
        ("problem_id", problem.problem_id),
        ("id", problem.source, problem.row_id),
        ("id", problem.row_id),
        ("question", problem.question, problem.answer),
        # As a published dataset has it.
        ("question", asked(problem.question, problem.options), problem.answer),
    ]
    return list(dict.fromkeys(names))


def key_of(row: Mapping[str, Any], several_sources: bool) -> Key:
    """The name by which a line means a problem.

    Raises:
        RowError: it names none, or not its source where the run has several.
    """
    if "problem_id" in row:
        return "problem_id", str(row["problem_id"])
    if "id" in row and "source" in row:
        return "id", str(row["source"]), str(row["id"])
    if "id" in row and several_sources:
        raise RowError("ambiguous_id", "the run has several sources: give `source` beside `id`")
    if "id" in row:
        return "id", str(row["id"])
    if "question" in row and "answer" in row:
        return "question", str(row["question"]), str(row["answer"])
    raise RowError("no_key", "give `problem_id`, `id`, or `question` and `answer`")


def open_responses(config: RunConfig) -> Responses | None:
    """The configured file, or none."""
    place = _place(config)
    return Responses(place, len(config.sources) > 1) if place else None


def fingerprint(config: RunConfig) -> str:
    """What tells the given responses from those of another file, as an ending of the policy's name.

    A run that goes on from another's ledger has that one's: its solutions are those responses.
    """
    if config.input.ledger is not None:
        return _taken_over(Store(located(config.input.ledger, config.input.folders)))
    place = _place(config)
    if place is None:
        return ""
    try:
        with open(place, "rb") as file:
            return f"{MARK}{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
    except FileNotFoundError:
        places = searched(place, config.input.folders)
        raise UserError(f"{NAME}: {place}: no such file{places}; correct it") from None
    except OSError as error:
        raise UserError(f"{NAME}: {config.input.responses}: can't be read: {error.strerror}") from error


def _place(config: RunConfig) -> str | None:
    responses = config.input.responses
    return None if responses is None else located(responses, config.input.folders)


def _taken_over(earlier: Store) -> str:
    if not earlier.exists("ledger.json"):
        return ""
    _, mark, name = str(earlier.read_json("ledger.json").get("engine.model", "")).rpartition(MARK)
    return f"{mark}{name}" if mark else ""
