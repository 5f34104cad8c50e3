"""What goes wrong, drawn from the seed: asked at every word between a process and a server."""

import asyncio
import random
from dataclasses import dataclass, field

from tests.cluster_sim.timeline import Process

CRASH, SLEEP, LOST_WORD = 0.004, 0.003, 0.02
AT_A_SEAM = 12.0
"""So much likelier are faults inside a closing, a rebuild or a claim, where more is half done."""


@dataclass
class Dice:
    """The random numbers of a run, and what has come of them; ``is_quiet`` = everything heals."""

    rng: random.Random
    loop: asyncio.AbstractEventLoop
    is_quiet: bool = False
    story: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)

    def tell(self, who: str, what: str) -> None:
        """Note what happened: the story of a seed is always the same."""
        self.story.append(f"{self.loop.time():10.4f} {who}: {what}")

    def falls(self, fault: str, chance: float) -> bool:
        """Whether a fault happens now."""
        if self.is_quiet or self.rng.random() >= chance:
            return False
        self.faults[fault] = self.faults.get(fault, 0) + 1
        return True

    async def pass_word(self, process: Process, word: str, *, is_seam: bool = False) -> None:
        """Bring a word from a process to a server or back; the process may die or fall asleep over it."""
        likelier = AT_A_SEAM if is_seam else 1.0
        if self.falls("crash", CRASH * likelier):
            self.tell(process.name, f"dies at {word}")
            process.die()
        elif self.falls("sleep", SLEEP * likelier):
            process.sleep(self.rng.uniform(1, 25))
            self.tell(process.name, f"sleeps at {word} until {process.sleeps_until:.1f}")
        await process.stand(self.rng.uniform(0.001, 0.03))

    def is_word_lost(self) -> bool:
        """Whether a request or its answer gets lost on the way."""
        return self.falls("lost word", LOST_WORD)
