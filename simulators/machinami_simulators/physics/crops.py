"""A year of rice: stages of growth, the water that each wants, and what the crop draws from it.

Stages and depths as agricultural extension offices of the Hokuriku region teach them for コシヒカリ
transplanted about 10 May: deep after transplanting (活着), shallow while tillering (分げつ), mid-season
drainage (中干し), intermittent irrigation (間断かんがい), flooded from heading (出穂) on, drained before
the harvest (落水), and flooded again in winter for the birds (冬期湛水). Crop coefficients: FAO 56, table
12, rice.
"""

import msgspec
import numpy as np

from machinami_simulators.geometry import Floats
from machinami_simulators.physics.weather import Sky, saturation

TRANSPLANTING = 130.0  # day of the year


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """From `day` after transplanting on; depths in mm, `weir` is what the outlet holds back."""

    name: str
    ja: str
    day: float
    low: float
    high: float
    weir: float
    crop: float


STAGES = (
    Stage(name="rooting", ja="活着", day=0, low=45, high=65, weir=110, crop=1.05),
    Stage(name="tillering", ja="分げつ", day=10, low=20, high=40, weir=90, crop=1.1),
    Stage(name="drainage", ja="中干し", day=38, low=-1, high=0, weir=0, crop=1.1),
    Stage(name="intermittent", ja="間断かんがい", day=50, low=2, high=40, weir=80, crop=1.2),
    Stage(name="heading", ja="出穂", day=78, low=40, high=60, weir=100, crop=1.2),
    Stage(name="ripening", ja="登熟", day=100, low=1, high=30, weir=60, crop=1.0),
    Stage(name="drained", ja="落水", day=118, low=-1, high=0, weir=0, crop=0.7),
    Stage(name="fallow", ja="刈跡", day=132, low=-1, high=0, weir=0, crop=0.4),
    Stage(name="winter", ja="冬期湛水", day=172, low=45, high=72, weir=110, crop=1.0),
    Stage(name="ploughing", ja="耕起", day=335, low=-1, high=0, weir=0, crop=0.4),
    Stage(name="puddling", ja="代かき", day=356, low=40, high=70, weir=100, crop=1.0),
)
_BEGIN = np.array([stage.day for stage in STAGES])


def stages_at(season: float, transplanted: Floats) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """Index into `STAGES` for each paddy, on a day of the year; `transplanted` is a day of the year too."""
    return np.searchsorted(_BEGIN, (season - transplanted) % 365.2425, side="right") - 1


def reference_evapotranspiration(sky: Sky) -> float:
    """mm/h of well-watered grass: Penman–Monteith, hourly (Allen et al., FAO 56, eq. 53).

    Net radiation is 0.77 of the sun's less 40 W/m² of long waves by day; at night none.
    """
    warm = sky.temperature + 237.3
    vapour = saturation(sky.temperature)
    slope = 4098 * vapour / warm**2
    psychrometric = 0.0665  # kPa/°C at sea level
    net = max(0.77 * sky.solar - 40, 0.0) * 0.0036  # MJ/m²/h
    ground = 0.1 * net
    deficit = vapour * (1 - sky.humidity / 100)
    drying = psychrometric * 37 / (sky.temperature + 273) * sky.wind * deficit
    return max(
        (0.408 * slope * (net - ground) + drying) / (slope + psychrometric * (1 + 0.34 * sky.wind)), 0.0
    )
