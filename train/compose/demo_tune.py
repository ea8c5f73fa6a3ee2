"""The demo's tune: who plays what, and how."""

from dataclasses import dataclass

BPM = 96  # a bar of four beats lasts 2.5 s, a solo of four bars 10 s
BEAT = 60 / BPM


@dataclass(frozen=True, slots=True)
class Player:
    """How an instrument is played.

    Parameters
    ----------
    program : int
        General MIDI program, from 0.
    velocity : int
        Of an ordinary note.
    gate : float
        Sounding part of a written note; above 1 it overlaps the next one, which is how a sample player slurs.
    vibrato : float
        Depth in cents; it sets in late, and only on notes that leave it time.
    vibrato_hz : float
        Its rate.
    swell : float
        How far, in units of controller 11, a long note starts below its height.
    onset : float
        How far, in the same units, a note's first quarter second is lifted: the samples of some bows speak slowly.
    tone : tuple of (hertz, decibels)
        Equalizer curve for samples whose colour is off.
    pedal : bool
        Whether a sustain pedal is pressed, anew every half bar.
    amp : bool
        Whether the sound goes through the guitar amplifier.
    """

    program: int
    velocity: int = 96
    gate: float = 1.03
    vibrato: float = 0.0
    vibrato_hz: float = 5.4
    swell: float = 0.0
    onset: float = 0.0
    tone: tuple[tuple[float, float], ...] = ()
    pedal: bool = False
    amp: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of the piece.

    Parameters
    ----------
    label : str
        Who has the solo, by the dataset's name; "unknown" where the band is alone.
    chords : str
        One chord a bar, names of `CHORDS`.
    voices : tuple of str
        What the soloist plays, one string per hand, bars parted by "|". A note is PITCH[+PITCH...]:BEATS with marks:
        > accent, ' short, / scooped from a semitone below, ^ bent up from a whole tone below. r is a rest.
    rests : tuple of str
        Who of the band lays out: "bass", "guitar".
    """

    label: str
    chords: str
    voices: tuple[str, ...] = ()
    rests: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return 4 * len(self.chords.split()) * BEAT


@dataclass(frozen=True, slots=True)
class Note:
    """A note or chord: start and length in beats, MIDI pitches, marks as in `Passage`."""

    start: float
    beats: float
    pitches: tuple[int, ...]
    marks: str


# The clean guitar, because the amplifier below distorts what it gets: chords then growl as through a real one.
PLAYERS = {
    "piano": Player(0, 92, gate=0.98, pedal=True),
    "violin": Player(40, 100, vibrato=24, vibrato_hz=5.8, swell=16, onset=36),
    "flute": Player(73, 98, vibrato=14, vibrato_hz=5.2, swell=20),
    "distorted electric guitar": Player(27, 112, gate=0.97, vibrato=26, vibrato_hz=5.6, amp=True),
    # FluidR3's clarinet has its strongest partials around 2 kHz; a real one is darker.
    "clarinet": Player(
        71, 96, vibrato=4, vibrato_hz=5.0, swell=24, tone=((60, 0), (500, 0), (1000, -3), (2000, -11), (3500, -8))
    ),
    "trumpet": Player(56, 104, gate=0.96, vibrato=14, vibrato_hz=5.3, swell=18),
    "tenor saxophone": Player(66, 104, gate=1.0, vibrato=20, vibrato_hz=4.9, swell=22),
}

PIECE = (
    Passage(
        "piano",
        "Dm Bb F C",
        (
            "D5:1.5> E5:.5 F5:1 A5:.5 G5:.5 | D5+F5:1 E5:.5 D5:.5 Bb4+D5:1 C5:.5 D5:.5 |"
            "A4+C5:1 F5:.25 G5:.25 A5:.5 A5+C6:1> A5:.25 G5:.25 F5:.5 | E5+G5:1.5 F5:.25 E5:.25 G4+C5:1 E5:.5 G5:.5",
            "D3:.5 A3:.5 D4:.5 F4:.5 D4:.5 A3:.5 D4:.5 A3:.5 | Bb2:.5 F3:.5 Bb3:.5 D4:.5 Bb3:.5 F3:.5 Bb3:.5 F3:.5 |"
            "F2:.5 C3:.5 A3:.5 C4:.5 F4:.5 C4:.5 A3:.5 C4:.5 | C3:.5 G3:.5 C4:.5 E4:.5 C4:.5 G3:.5 C3+G3:1",
        ),
    ),
    Passage(
        "violin",
        "Gm C F A7",
        (
            "D5:1.5/ E5:.5 F5:.5 G5:.5 Bb5:1> | A5:.75 G5:.25 E5:1.5 C5:.5 E5:.5 G5:.5 |"
            "A5:.125 Bb5:.125 A5:1.25 G5:.25 F5:.25 C5:.5 F5:.5 A5:1 |"
            "G5:.25 A5:.25 Bb5:.5 A5:.5 E5:.5 C#6:.5/ A5:1.5",
        ),
    ),
    Passage(
        "flute",
        "Dm Bb F C",
        (
            "A4:1 D4:.25 E4:.25 F4:.25 A4:.25 D5:1.25 E5:.25 D5:.25 A4:.25 |"
            "Bb4:.25 A4:.25 Bb4:.25 C5:.25 D5:1 F5:.5 D5:.25 C5:.25 Bb4:1 |"
            "A4:.5 C5:.5 F5:.25 E5:.25 F5:.25 G5:.25 A5:1 G5:.25 F5:.25 E5:.25 C5:.25 |"
            "E5:.125 F5:.125 E5:.125 F5:.125 E5:.125 F5:.125 E5:.25 D5:.25 C5:.25 G4:.5 "
            "C5:.25 D5:.25 E5:.5 G5:.75 r:.25",
        ),
        rests=("bass", "guitar"),
    ),
    Passage(
        "distorted electric guitar",
        "Dm Bb C Dm",
        (
            "D3+A3+D4:1> D3+A3:.25' D3+A3:.25' F3+C4:.5 G3+D4:1> F3+C4:.5 D3+A3:.5 |"
            "Bb2+F3+Bb3:1> F4:.25 G4:.25 A4:.25 C5:.25 D5:1.5^ C5:.25 A4:.25 |"
            "C3+G3+C4:.5> G4:.25 A4:.25 C5:.5 E5:1^ D5:.25 C5:.25 A4:.25 G4:.25 E4:.5 |"
            "A4:.25 C5:.25 D5:.5 F5:1^ D5:.25 C5:.25 A4:.25 G4:.25 D3+A3+D4:1>",
        ),
    ),
    Passage("unknown", "Dm A7"),
    Passage(
        "clarinet",
        "Gm C F A7",
        (
            "G3:.5 Bb3:.5 D4:.5 G4:.5 Bb4:1.5 A4:.25 G4:.25 |"
            "G4:.5 E4:.25 C4:.25 E4:.5 G4:.5 Bb4:.25 C5:.25 E5:1 D5:.25 C5:.25 |"
            "A4:.25 C5:.25 F5:1.25 G5:.25 F5:.25 E5:.25 F5:.5 C5:.5 A4:.5 |"
            "C#5:.25 E5:.25 G5:.5 F5:.25 E5:.25 C#5:.25 Bb4:.25 A4:.125 Bb4:.125 A4:1.5 r:.25",
        ),
    ),
    Passage(
        "trumpet",
        "Dm Bb F C",
        (
            "A4:.25' A4:.25' D5:1.25/> E5:.25 F5:.5 A5:1.5> | G5:.25 F5:.25 D5:.5 F5:1.5 E5:.25 D5:.25 C5:.5' D5:.5' |"
            "C5:.25' C5:.25' F5:.5> A5:1.5/ G5:.25 F5:.25 G5:.5' A5:.5' |"
            "C6:1> Bb5:.25 A5:.25 G5:.5 E5:.5 F5:.25 E5:.25 C5:.75 r:.25",
        ),
    ),
    Passage(
        "tenor saxophone",
        "Gm A7 Dm Dm",
        (
            "D4:1/ F4:.5 G4:.5 Bb4:1.25/> A4:.25 G4:.25 F4:.25 |"
            "E4:.5 G4:.25 F4:.25 E4:.5 C#4:.5 A3:.5 C#4:.25 E4:.25 Bb4:1/> |"
            "A4:1 F4:.25 G4:.25 Ab4:.25 G4:.25 F4:.5 D4:.5 C4:.5 A3:.25 C4:.25 | F4:.125 E4:.125 D4:3.45 r:.3",
        ),
    ),
)

# Bass note, and a close voicing for the pad and the plucked guitar that stays below the solos.
CHORDS = {
    "Dm": ("D2", "F3 A3 C4 D4"),
    "Bb": ("Bb1", "F3 A3 Bb3 D4"),
    "F": ("F2", "F3 G3 A3 C4"),
    "C": ("C2", "E3 G3 C4 D4"),
    "Gm": ("G1", "F3 G3 Bb3 D4"),
    "A7": ("A1", "E3 G3 A3 C#4"),
}

# (beat, semitones above the root, beats)
BASS = ((0, 0, 1.4), (1.5, 0, 0.45), (2, 7, 0.9), (3, 12, 0.45), (3.5, 7, 0.45))
PLUCKS = (0.5, 1.5, 2, 3.5)
# Percussion keys of General MIDI, on its brush kit: (key, velocity, beats where it is struck)
BRUSHES: tuple[tuple[int, int, tuple[float, ...]], ...] = (
    (36, 96, (0, 2.5)),
    (38, 90, (1, 3)),
    (42, 74, (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)),
    (51, 66, (0, 2)),
)
FILL: tuple[tuple[int, int, tuple[float, ...]], ...] = (
    (47, 98, (2, 2.25)),
    (45, 100, (2.75, 3)),
    (43, 102, (3.25, 3.5)),
    (38, 104, (3.75,)),
)
BASS_PROGRAM, PLUCK_PROGRAM, PAD_PROGRAM, BRUSH_PROGRAM = 33, 24, 89, 40


def midi_pitch(name: str) -> int:
    """Return the MIDI number of a pitch such as "C#5" or "Bb3"; C4 is 60."""
    letter, accidental, octave = name[0], name[1:-1], int(name[-1])
    return 12 * (octave + 1) + "C D EF G A B".index(letter) + {"": 0, "#": 1, "b": -1}[accidental]


def parse_voice(voice: str) -> list[Note]:
    """Read a voice of a `Passage`; a bar that is not four beats long is a ValueError."""
    found = []
    for bar, text in enumerate(voice.split("|")):
        at = 4.0 * bar
        for token in text.split():
            names, _, rest = token.partition(":")
            beats = rest.rstrip(">'/^")
            if names != "r":
                pitches = tuple(midi_pitch(name) for name in names.split("+"))
                found.append(Note(at, float(beats), pitches, rest[len(beats) :]))
            at += float(beats)
        if at != 4.0 * (bar + 1):
            raise ValueError(f"bar {bar + 1} has {at - 4 * bar:g} beats instead of 4: {text.strip()}")
    return found
