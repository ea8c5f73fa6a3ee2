"""What phrases are made of, played with sines whose pitch can be told exactly."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("soundfile", reason="needs the train extra")
pytest.importorskip("soxr", reason="needs the train extra")

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose import chords as chord_phrases
from train.compose import melodies
from train.compose.chords import POWER_CHORDS, chords, riff, two_hands
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.melodies import melodic_line, melody, ornament, scale, span
from train.compose.notes import Notes, breath, fall, flutter, glide, place, release_bend, swell, trill, vibrato, warp
from train.compose.pack import Recording
from train.compose.phrases import excerpt, play_source
from train.compose.playing_techniques import TECHNIQUES, PlayingTechniques

Array = npt.NDArray[np.float32]

PLAIN = PlayingTechniques(run=0, arpeggio=0)
SECOND = SAMPLE_RATE


class Sines(DecodedRecordings):
    """Recordings that are sines of their pitch, or noise where they have none."""

    def __init__(self, recordings: list[Recording]) -> None:
        super().__init__(Path(), recordings, Path())

    def audio(self, index: int) -> Array:
        """Return a tone with its pitch as frequency."""
        row = self.recordings[index]
        return tone(row.midi, int(row.seconds * SECOND)).copy()


@functools.cache
def tone(midi: float | None, samples: int) -> Array:
    """Make a sine, or noise."""
    if midi is None:
        return np.random.default_rng(samples).uniform(-0.5, 0.5, samples).astype(np.float32)
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz(midi) * np.arange(samples) / SECOND), np.float32)


def hertz(midi: float) -> float:
    """Convert MIDI to Hz."""
    return float(440 * 2 ** ((midi - 69) / 12))


def sines(instrument: str = "violin", low: int = 55, high: int = 90, seconds: float = 4.0) -> Sines:
    """Record one sine for each semitone."""
    return Sines([Recording(f"{midi}", instrument, "x", float(midi), seconds, "CC0") for midi in range(low, high)])


def notes(instrument: str = "violin", **settings: Any) -> Notes:
    """Play with all of them."""
    decoded = sines(instrument, **settings)
    return Notes(decoded, list(range(len(decoded.recordings))))


def pitch(sound: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Tell a sine's pitch in MIDI, from one rising zero crossing to the next, with their times in seconds."""
    before = np.flatnonzero((sound[:-1] < 0) & (sound[1:] >= 0))
    at = (before + sound[before] / (sound[before] - sound[before + 1])) / SECOND
    return np.array([(at[1:] + at[:-1]) / 2, 69 + 12 * np.log2(1 / np.diff(at) / 440)])


def loudness(sound: npt.NDArray[np.floating], begin: float, end: float) -> float:
    """Return the RMS from one second to another, in dB."""
    part = sound[int(begin * SECOND) : int(end * SECOND)].astype(np.float64)
    return float(10 * np.log10(np.mean(part * part) + 1e-20))


def test_trill_alternates_two_pitches_at_its_rate() -> None:
    """A trill of 10 notes a second holds its two pitches in turn, for a tenth of a second each."""
    sound = notes().sound(60, trill(SECOND, 2, 10), np.random.default_rng(0))
    time, heard = pitch(sound)
    middle = (time * 10) % 1
    settled = (middle > 0.2) & (middle < 0.8)
    base = np.round(heard[settled][0])
    np.testing.assert_allclose(heard[settled], base + 2 * (np.floor(time[settled] * 10) % 2), atol=0.1)


def test_mordent_touches_its_neighbour_once() -> None:
    """A mordent's neighbour is heard for one note, and then its own pitch alone."""
    curve = trill(SECOND, -1, 10, beats=1)
    assert curve[int(0.15 * SECOND)] == -1
    assert not curve[int(0.22 * SECOND) :].any()
    assert not curve[: int(0.07 * SECOND)].any()


@pytest.mark.parametrize(
    "curve",
    [
        trill(SECOND, 2, 14),
        trill(SECOND, 2, 14, beats=2),
        glide(SECOND, 2.5, 0.04),
        fall(SECOND, 2.5, 0.8, 0.12),
        release_bend(SECOND, 2, 0.5, np.random.default_rng(0)),
        vibrato(SECOND, np.random.default_rng(0)),
    ],
)
def test_pitch_moves_without_steps(curve: npt.NDArray[np.float64]) -> None:
    """No curve moves by more than a hundredth of a semitone and a half from one sample to the next."""
    assert np.abs(np.diff(curve)).max() < 0.015
    assert np.abs(curve).max() <= 2.5


def test_glide_begins_at_the_note_before() -> None:
    """A glide leads from its interval to the note in its time; a fall leaves the note at its end."""
    assert glide(SECOND, -2, 0.1)[0] == -2
    assert not glide(SECOND, -2, 0.1)[int(0.1 * SECOND) + 1 :].any()
    assert not fall(SECOND, 2, 0.8, 0.2)[: int(0.8 * SECOND)].any()
    assert fall(SECOND, 2, 0.8, 0.2)[-1] == pytest.approx(-2, abs=0.01)


def test_bend_is_released() -> None:
    """A string that is bent up by a tone comes down to where it began, within its note."""
    for seed in range(20):
        curve = release_bend(SECOND, 2, 0.8, np.random.default_rng(seed))
        assert curve.max() == 2
        assert curve[0] == 0
        assert not curve[int(0.8 * SECOND) :].any()


def test_notes_are_in_tune() -> None:
    """A pitch between two recordings is that pitch; one far from them all keeps a recording's."""
    rng = np.random.default_rng(0)
    heard = pitch(notes().sound(63.4, np.zeros(5000), rng))[1]
    np.testing.assert_allclose(heard, 63.4, atol=0.03)
    heard = pitch(notes(low=60, high=63).sound(72, np.zeros(5000), rng))[1]
    np.testing.assert_allclose(heard, 62, atol=0.03)


def test_sound_is_transposed_by_three_semitones_at_most() -> None:
    """However far a curve goes, a recording stays within 3 semitones of its own pitch."""
    heard = pitch(notes(low=60, high=61).sound(60, np.linspace(-6, 6, SECOND), np.random.default_rng(0)))[1]
    assert heard.min() == pytest.approx(57, abs=0.05)
    assert heard.max() == pytest.approx(63, abs=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_double_stop_has_two_partials(seed: int) -> None:
    """On two strings, a window of sines has two strong partials or more, at least a third apart."""
    decoded = sines(seconds=4)
    rng = np.random.default_rng(seed)
    sound = melody(
        Notes(decoded, list(range(len(decoded.recordings)))),
        rng,
        PlayingTechniques(run=0, arpeggio=0, hold=1, double=1),
    )
    part = sound[30000:34096] * np.hanning(4096)
    power = np.abs(np.fft.rfft(part, 65536)) ** 2
    inner = power[1:-1]
    peaks = np.flatnonzero((inner > power[:-2]) & (inner > power[2:]) & (inner > power.max() / 20)) + 1
    pitches = 69 + 12 * np.log2(peaks * SECOND / 65536 / 440)
    assert len(peaks) >= 2
    assert np.ptp(pitches) > 2.5


def test_breath_is_quiet_and_short() -> None:
    """Between phrases there are rests, and in some a breath of at least 20 dB less than the notes."""
    violins = notes("clarinet")
    depths = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        sound = melody(violins, rng, PlayingTechniques(run=0, arpeggio=0, hold=1, breathe=1))
        frames = np.array([loudness(sound, t, t + 0.02) for t in np.arange(0, 2.94, 0.02)])
        depths.append(frames.max() - frames[(frames > -100)].min())
        drawn = (frames > -100) & (frames < frames.max() - 20)
        assert drawn.mean() < 0.5
    assert max(depths) > 25


def test_breath_is_band_passed_noise() -> None:
    """A breath has a power of 1, begins and ends in silence, and most of it is between 300 Hz and 7 kHz."""
    for seed in range(5):
        sound = breath(0.3, np.random.default_rng(seed))
        assert np.mean(np.square(sound)) == pytest.approx(1, rel=1e-3)
        assert np.abs(sound[[0, -1]]).max() < 0.01
        power = np.abs(np.fft.rfft(sound)) ** 2
        frequency = np.fft.rfftfreq(len(sound), 1 / SECOND)
        assert power[(frequency > 300) & (frequency < 7000)].sum() > 0.9 * power.sum()


@pytest.mark.parametrize("decibels", [3.0, 8.0])
def test_swell_changes_loudness_by_its_decibels(decibels: float) -> None:
    """A swell's loudest and softest moments are its decibels apart, and it never amplifies."""
    for seed in range(8):
        factors = swell(np.ones(SECOND, np.float32), 1.0, decibels, np.random.default_rng(seed))
        assert factors.max() <= 1
        assert 20 * np.log10(factors.max() / factors.min()) == pytest.approx(decibels, abs=0.2)


def test_flutter_trembles_20_to_30_times_a_second() -> None:
    """A growl's loudness has one frequency, which no vibrato reaches."""
    factors = flutter(np.ones(SECOND, np.float32), np.random.default_rng(0))
    assert 20 <= np.abs(np.fft.rfft(factors - factors.mean())).argmax() <= 30
    assert 0.45 < factors.min() < factors.max() <= 1


def test_nothing_clicks_where_notes_meet() -> None:
    """In melodies of low sines there is nothing above 3 kHz that is within 35 dB of them."""
    low = notes(low=45, high=60, seconds=1.5)
    ornate = PlayingTechniques(hold=0.3, trill=0.2, mordent=0.2, glide=0.2, scoop=0.1, fall=0.2, bend=0.1, swell=0.5)
    for seed in range(12):
        sound = melody(low, np.random.default_rng(seed), ornate)
        parts = sound[: WINDOW // 512 * 512].reshape(-1, 512) * np.hanning(512)
        power = np.abs(np.fft.rfft(parts)) ** 2
        assert power[:, 70:].sum(axis=1).max() < power.sum(axis=1).max() * 10**-3.5


def test_a_few_phrases_begin_late_or_end_early() -> None:
    """About 15 % of phrases have 0.3 to 1.2 s of nothing on one side."""
    spans = np.array([span(np.random.default_rng(seed)) for seed in range(2000)])
    late = spans[:, 0] > 0
    early = spans[:, 1] < WINDOW / SECOND
    assert not (late & early).any()
    assert 0.12 < np.mean(late | early) < 0.18
    assert ((spans[late, 0] >= 0.3) & (spans[late, 0] <= 1.2)).all()
    assert (spans[early, 1] >= WINDOW / SECOND - 1.2).all()


@pytest.mark.parametrize("make", [chords, riff, two_hands, lambda n, rng: melody(n, rng, PLAIN)])
def test_silence_at_a_side_is_silent(
    make: Callable[[Notes, np.random.Generator], Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a late entry there is nothing, and half a second after an early end everything has died away."""
    for module in (melodies, chord_phrases):
        monkeypatch.setattr(module, "span", lambda rng: (0.5, 1.9))
    for seed in range(10):
        sound = make(notes("piano", low=36, high=84), np.random.default_rng(seed))
        assert not sound[: int(0.47 * SECOND)].any()
        assert not sound[int(2.4 * SECOND) :].any()
        assert sound.any()


def test_riff_is_muted_and_low() -> None:
    """Muted eighth notes die away before the next one, so a riff's loudness falls and rises."""
    falls = []
    for seed in range(10):
        sound = riff(notes("clean electric guitar", low=40, high=80), np.random.default_rng(seed))
        frames = np.array([loudness(sound, t, t + 0.02) for t in np.arange(0.5, 2.0, 0.02)])
        falls.append(np.ptp(frames[frames > -80]))
        power = np.abs(np.fft.rfft(sound)) ** 2
        frequency = np.fft.rfftfreq(WINDOW, 1 / SECOND)
        assert power[frequency < 700].sum() > 0.9 * power.sum()
    assert np.median(falls) > 6
    assert POWER_CHORDS[0] == (0, 7)


def test_pianist_has_two_hands() -> None:
    """Over some phrases, a piano sounds in the octaves below and above the middle of its keys at once."""
    both = 0
    for seed in range(10):
        sound = two_hands(notes("piano", low=30, high=90), np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(sound)) ** 2
        frequency = np.fft.rfftfreq(WINDOW, 1 / SECOND)
        below, above = power[frequency < hertz(57)].sum(), power[frequency > hertz(64)].sum()
        both += min(below, above) > 0.003 * max(below, above)
    assert both >= 8


def test_runs_and_broken_chords_move_by_even_steps() -> None:
    """A run goes from one degree of its scale to the next, a broken chord to the next but one."""
    for techniques, leap in ((PlayingTechniques(run=1, arpeggio=0), 1), (PlayingTechniques(run=0, arpeggio=1), 2)):
        rng = np.random.default_rng(1)
        degrees = scale(50, 80, rng)
        walk = melodic_line(degrees, rng, techniques)
        places = [int(np.flatnonzero(degrees == next(walk)[0])[0]) for _ in range(60)]
        assert set(np.abs(np.diff(places))) <= {leap, leap - 1}  # less at the end of the scale


def test_ornaments_occur_as_often_as_said() -> None:
    """A manner without ornaments leaves the pitch alone, and one of nothing else changes each long note."""
    rng = np.random.default_rng(0)
    assert not ornament(5000, 1.0, 2.0, rng, PLAIN).any()
    for name in ("trill", "mordent", "glide", "scoop", "fall", "bend"):
        techniques = PlayingTechniques(**{name: 1.0})
        assert all(ornament(SECOND, 0.9, 2.0, rng, techniques).any() for _ in range(20)), name


def test_shares_are_shares() -> None:
    """What is drawn at once adds up to less than one, so the rest is an ordinary melody."""
    for name, techniques in TECHNIQUES.items():
        assert techniques.trill + techniques.mordent + techniques.bend + techniques.glide + techniques.scoop < 0.5, name
        assert techniques.run + techniques.arpeggio + techniques.hold < 0.5, name


@pytest.mark.parametrize("instrument", [*TECHNIQUES, "piano", "organ", "drums", "speech"])
def test_phrase_is_a_window_that_depends_on_the_seed_alone(instrument: str) -> None:
    """Every instrument's phrases are finite windows, the same bytes for one seed, others for another."""
    decoded = sines(instrument, low=48, high=72, seconds=1.5)
    if instrument in {"drums", "speech"}:
        decoded = Sines(
            [Recording(str(i), instrument, "x", None, seconds, "CC0") for i, seconds in enumerate((0.5, 1, 5))]
        )
    recordings = list(range(len(decoded.recordings)))
    heard = 0
    for seed in range(4):
        sound, again = (play_source(decoded, recordings, np.random.default_rng(seed)) for _ in range(2))
        assert sound.shape == (WINDOW,)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert sound.tobytes() == again.tobytes()
        heard += bool(sound.any())
    assert heard == 4
    assert sound.tobytes() != play_source(decoded, recordings, np.random.default_rng(99)).tobytes()


def test_extract_is_shifted_by_two_semitones_at_most() -> None:
    """A recording that is long enough fills its window, at most two semitones higher or lower."""
    decoded = sines(low=69, high=70, seconds=8)
    for seed in range(20):
        sound = excerpt(decoded, 0, np.random.default_rng(seed))
        heard = np.median(pitch(sound[2000 : SECOND + 2000])[1])
        assert 66.9 < heard < 71.1


def test_placed_sound_keeps_its_place() -> None:
    """A sound is cut at the window's edges, rises within a millisecond and fades where it is told to."""
    out = np.zeros(SECOND, np.float32)
    place(out, np.ones(SECOND, np.float32), 0.5, 0.1, 0.0, 2.0, 0.1)
    assert not out[: SECOND // 2].any()
    np.testing.assert_allclose(out[SECOND // 2 + 22 : int(0.6 * SECOND)], 2)
    assert not out[int(0.7 * SECOND) + 1 :].any()
    place(out, np.ones(SECOND, np.float32), -0.95, 10.0, 0.0, 1.0, 0.01)
    assert out[0] == pytest.approx(1)


def test_warp_without_transposition_is_the_sound() -> None:
    """A curve of zeros plays every sample as it is."""
    sound = sines().audio(0)
    np.testing.assert_allclose(warp(sound, np.zeros(len(sound)))[:-3], sound[1:-6][: len(sound) - 6], atol=1e-3)
