"""The answer in plain words, every number from the results."""

from __future__ import annotations

from typing import Any

from experiments.rows import find
from experiments.second_clock.figures import spectrum_label
from experiments.second_clock.gains import main_line


def answer(table: list[dict[str, Any]], controls: list[dict[str, Any]], preset: Any) -> list[str]:
    """What the page begins with."""
    steps, measured = preset.headline, preset.controls[-1]
    at = {e["representation"]: e for e in main_line(table, spectrum=preset.spectrum, steps=steps)}
    spacing = at["pyramid"]["spacing"]
    photo = {e["representation"]: e for e in main_line(table, spectrum=measured, steps=steps)}
    alone = [-e["gain_of_scales"] for e in main_line(table, representation="pyramid")]
    pyramid = [e["gain"] for e in main_line(table, representation="pyramid")]

    def ratio(representation: str, path: str, other: str = "best_w2", of: str = "w2") -> float:
        wanted = {"representation": representation, "spectrum": measured}
        return float(find(controls, **wanted, path=path)[of] / find(controls, **wanted, path=other)[of])

    lead = at["pyramid"]["lead_mean"]
    return [
        f"Little, where the image comes with its own 2x2 means. On {spectrum_label(preset.spectrum)} at {steps} steps of DDIM "
        f"the best two-clock path lowers the W2 of the image by {at['pyramid']['gain']:.2f} % against the best single "
        f"schedule; over all spectra and step counts here by {min(pyramid):.2f} to {max(pyramid):.2f} %. In lock-step the "
        f"same pyramid changes it by {min(alone):+.1f} to {max(alone):+.1f} %; where it is worse, undoing "
        "that is most of what the second clock does. Scales that share less gain more: Haar bands "
        f"{at['haar']['gain']:.1f} %, cosine bands {at['dct']['gain']:.1f} %, residuals after bilinear up-sampling "
        f"{at['bilinear']['gain']:.1f} %; on the images' own spectrum {photo['haar']['gain']:.1f} %, "
        f"{photo['dct']['gain']:.1f} % and {photo['bilinear']['gain']:.1f} %. Choosing the spacing of one clock well is worth "
        f"{spacing['logsnr']:.0f} % against uniform log-SNR steps and {spacing['karras']:.0f} % against Karras spacing "
        f"({photo['dct']['spacing']['logsnr']:.0f} % and {photo['dct']['spacing']['karras']:.0f} % on the images).",
        f"Where the coarse channel goes. The best pyramid path has it {abs(lead):.2f} nats "
        f"{'behind' if lead < 0 else 'ahead of'} the point at which both channels tell the same, in the mean over the calls. "
        f"On the images' spectrum, going coarse first costs {ratio('pyramid', 'coarse_first'):.2f} times the best path for the pyramid "
        f"and {ratio('dct', 'coarse_first'):.2f} times for cosine bands, each with its best split and spacing; a lead of "
        f"2 log 2 with its own best spacing costs the pyramid {ratio('pyramid', 'equal_information'):.3f} times the best, no "
        f"lead {ratio('pyramid', 'no_lead'):.3f} times, uniform log-SNR steps {ratio('pyramid', 'logsnr'):.2f} times.",
        "What of LIFT follows already here, without a network: the path matters, almost entirely through its spacing; the "
        "best path of two scales only matches one scale with a good schedule; coarse-first staging is bad. What does not "
        f"follow is an advantage of a leading coarse scale: {_behind(table)}. "
        f"And the objective matters more than the second clock: the path that is best for path KL costs the pyramid "
        f"{ratio('pyramid', 'path_kl'):.2f} times the best W2, and the path that is best for W2 "
        f"{ratio('pyramid', 'best_w2', 'path_kl', 'path_kl'):.1f} times the best path KL.",
    ]


def _behind(table: list[dict[str, Any]]) -> str:
    leads = [e["lead_mean"] for e in main_line(table)]
    if max(leads) < 0:
        return "the best paths of all representations and spectra have the coarse scale behind"
    return f"the best paths have the coarse scale behind in {sum(v < 0 for v in leads)} of {len(leads)} cases"
