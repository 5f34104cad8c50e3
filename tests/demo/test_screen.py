"""What is written without a terminal, line by line."""

import io

from rich.console import Console

from stream_app.demo.screen import PLAIN_SECONDS, Screen, Steps


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def written(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def plain() -> Console:
    return Console(file=io.StringIO(), width=100)


def test_a_step_is_one_line_with_its_number_and_its_time() -> None:
    console, clock = plain(), Clock()
    with Screen(console, clock) as screen:
        steps = Steps(screen, clock)
        for name, what in (("servers", "Kafka and Valkey"), ("topics", "six")):
            steps.begin(name, "on the way")
            clock.seconds += 1.25
            steps.done(what)
    assert [line.split() for line in written(console)] == [
        ["1", "servers", "Kafka", "and", "Valkey", "1.2", "s"],
        ["2", "topics", "six", "1.2", "s"],
    ]


def test_a_long_step_is_wrapped_beside_its_number_and_name() -> None:
    console, clock = plain(), Clock()
    with Screen(console, clock) as screen:
        steps = Steps(screen, clock)
        steps.begin("history", "")
        steps.done("closed " * 30)
    first, *rest = written(console)
    assert first.startswith("1 history  closed")
    assert rest and all(line.startswith(" " * 11 + "closed") for line in rest)


def test_without_a_terminal_the_live_line_is_written_only_now_and_then() -> None:
    console, clock = plain(), Clock()
    with Screen(console, clock) as screen:
        for second in range(25):
            clock.seconds = float(second)
            screen.now(f"second {second}")
    assert written(console) == [f"   second {PLAIN_SECONDS:.0f}", f"   second {2 * PLAIN_SECONDS:.0f}"]


def test_an_unchanged_live_line_is_not_repeated() -> None:
    console, clock = plain(), Clock()
    with Screen(console, clock) as screen:
        for second in range(25):
            clock.seconds = float(second)
            screen.now("the same")
    assert written(console) == []


def test_on_a_terminal_the_live_line_is_gone_when_the_screen_is_closed() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=60, height=20)
    with Screen(console) as screen:
        screen.now("in place")
        screen.say("stays")
    text = "".join(written(console))
    assert "stays" in text and text.rstrip("\x1b[?25h").endswith("\x1b[2K")
