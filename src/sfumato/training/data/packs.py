"""The picture packs: what they are, who drew them, under which licence, and their exact hashes.

Every pack is an npm archive pinned by version and SHA-512; ``archives.py`` fetches and reads it.
Licences and authors travel with the pack so that every picture can name its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfumato.errors import StorageError

Role = Literal["colour", "mono", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One npm archive at one version, with the hash it must have."""

    package: str
    version: str
    sha512: str

    @property
    def file_name(self) -> str:
        """The name ``npm pack`` gives the archive: ``iconify-json-noto-1.2.9.tgz``."""
        return f"{self.package.lstrip('@').replace('/', '-')}-{self.version}.tgz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One picture pack: its archive, its licence and the style that it draws in.

    ``role`` decides who may use it: ``colour`` and ``mono`` packs train, ``judge`` packs are kept
    for measuring and never train.
    """

    name: str
    version: str
    sha512: str
    licence: str
    author: str
    url: str
    style: str
    style_words: tuple[str, ...]
    role: Role

    @property
    def archive(self) -> Archive:
        """The npm archive that holds the pack."""
        return Archive(
            package=f"@iconify-json/{self.name}", version=self.version, sha512=self.sha512
        )


PACKS: tuple[Pack, ...] = (
    Pack(
        name="fluent-emoji-flat",
        version="1.2.6",
        sha512="sha512-RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
        licence="MIT",
        author="Microsoft Corporation",
        url="https://github.com/microsoft/fluentui-emoji",
        style="flat",
        style_words=("flat", "flat emoji"),
        role="colour",
    ),
    Pack(
        name="twemoji",
        version="1.2.5",
        sha512="sha512-uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        licence="CC-BY-4.0",
        author="Twitter",
        url="https://github.com/jdecked/twemoji",
        style="cartoon",
        style_words=("cartoon", "cartoon emoji"),
        role="colour",
    ),
    Pack(
        name="noto",
        version="1.2.9",
        sha512="sha512-DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
        licence="Apache-2.0",
        author="Google Inc",
        url="https://github.com/googlefonts/noto-emoji",
        style="classic",
        style_words=("classic", "classic emoji"),
        role="colour",
    ),
    Pack(
        name="emojione",
        version="1.2.3",
        sha512="sha512-T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        licence="CC-BY-4.0",
        author="Emoji One",
        url="https://github.com/EmojiTwo/emojitwo",
        style="soft",
        style_words=("soft", "soft emoji"),
        role="colour",
    ),
    Pack(
        name="fxemoji",
        version="1.2.2",
        sha512="sha512-UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
        licence="Apache-2.0",
        author="Mozilla",
        url="https://github.com/mozilla/fxemoji",
        style="friendly",
        style_words=("friendly", "rounded emoji"),
        role="colour",
    ),
    Pack(
        name="streamline-emojis",
        version="1.2.4",
        sha512="sha512-iNr9T9XuZVTyQPJO8ZlLxBzPkpi7qMl+z1l0C31vpEMqhPMelth3n7CeWQYtixdetDPdI81yeG4ROqjWpYJE6A==",
        licence="CC-BY-4.0",
        author="Streamline",
        url="https://github.com/webalys-hq/streamline-vectors",
        style="pop",
        style_words=("pop", "outlined emoji"),
        role="colour",
    ),
    Pack(
        name="flat-color-icons",
        version="1.2.3",
        sha512="sha512-KcmJ7CY0TKFv5GuBjiS4/v++jEcNXna1jfY+yq014tnw/MN/jMI2oYpoMHGuIpYtUqDu7eove+WySnOYO8nS3w==",
        licence="MIT",
        author="Icons8",
        url="https://github.com/icons8/flat-Color-icons",
        style="office",
        style_words=("office", "flat office icon"),
        role="colour",
    ),
    Pack(
        name="fluent-color",
        version="1.2.21",
        sha512="sha512-VETjGx7BMpVsCR3HV5g5t6oBGZ92XKzIRClS5xUvDn1YHAkQTF9OyF/aFdtxYOC8JROoI1SNO/Ql6jZeK7mroA==",
        licence="MIT",
        author="Microsoft Corporation",
        url="https://github.com/microsoft/fluentui-system-icons",
        style="gradient",
        style_words=("gradient", "glossy gradient icon"),
        role="colour",
    ),
    Pack(
        name="icon-park",
        version="1.2.4",
        sha512="sha512-S8fVl49LG/M9hvwb7ruFGInK21AHMv3IJehOJRJgXPLE39OOCP3wbfTWjro/XzsjxRwdvX/lYdGetFOZI0TaJQ==",
        licence="Apache-2.0",
        author="ByteDance",
        url="https://github.com/bytedance/IconPark",
        style="blueprint",
        style_words=("blueprint", "two-colour outlined icon"),
        role="colour",
    ),
    Pack(
        name="meteocons",
        version="1.2.4",
        sha512="sha512-E7YV02ql5WmJgAOpXU/hoF9Mdshq73KjwR6fBxZ5SrqMJghMa3CIcRG6NQGwP4I1uBOhIjOFlAikYoPAKuT56A==",
        licence="MIT",
        author="Bas Milius",
        url="https://github.com/basmilius/weather-icons",
        style="meteo",
        style_words=("meteo", "soft weather icon"),
        role="colour",
    ),
    Pack(
        name="streamline-ultimate-color",
        version="1.2.2",
        sha512="sha512-NAbD3xLtg3069865B5CLUulp/eowPNCiDfJBxVAmA+LKLPpxU7EIEJ2+mSfWriPd+ahORWyqjRnoPVkTJopEgg==",
        licence="CC-BY-4.0",
        author="Streamline",
        url="https://github.com/webalys-hq/streamline-vectors",
        style="inked",
        style_words=("inked", "coloured line icon"),
        role="colour",
    ),
    Pack(
        name="game-icons",
        version="1.2.4",
        sha512="sha512-/HDDZxowXgDJcOEwPspUCq5RuDdl25OyZKdtxqqiPJQNTrWIym7r4StLzIVs77DyNzOWWhH5wDqwYR3WHeDfkg==",
        licence="CC-BY-3.0",
        author="GameIcons",
        url="https://github.com/game-icons/icons",
        style="glyph",
        style_words=("glyph", "solid one-colour icon"),
        role="mono",
    ),
    Pack(
        name="mdi",
        version="1.2.3",
        sha512="sha512-O3cLwbDOK7NNDf2ihaQOH5F9JglnulNDFV7WprU2dSoZu3h3cWH//h74uQAB87brHmvFVxIOkuBX2sZSzYhScg==",
        licence="Apache-2.0",
        author="Pictogrammers",
        url="https://github.com/Templarian/MaterialDesign",
        style="glyph",
        style_words=("glyph", "solid one-colour icon"),
        role="mono",
    ),
    Pack(
        name="ph",
        version="1.2.2",
        sha512="sha512-PgkEZNtqa8hBGjHXQa4pMwZa93hmfu8FUSjs/nv4oUU6yLsgv+gh9nu28Kqi8Fz9CCVu4hj1MZs9/60J57IzFw==",
        licence="MIT",
        author="Phosphor Icons",
        url="https://github.com/phosphor-icons/core",
        style="glyph",
        style_words=("glyph", "solid one-colour icon"),
        role="mono",
    ),
    Pack(
        name="solar",
        version="1.2.13",
        sha512="sha512-/ZWb6xRib6pzxD/qTkKWYhuzSU2yu0bY+EN0spgtz1NM3d5f4eYueQZpL3PfCdsg5uVfm4Ldtt3cAyQL+YI8/Q==",
        licence="CC-BY-4.0",
        author="480 Design",
        url="https://www.figma.com/community/file/1166831539721848736",
        style="glyph",
        style_words=("glyph", "solid one-colour icon"),
        role="mono",
    ),
    Pack(
        name="openmoji",
        version="1.2.29",
        sha512="sha512-vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
        licence="CC-BY-SA-4.0",
        author="OpenMoji",
        url="https://github.com/hfg-gmuend/openmoji",
        style="openmoji",
        style_words=("outlined emoji",),
        role="judge",
    ),
    Pack(
        name="emojione-v1",
        version="1.2.3",
        sha512="sha512-UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww==",
        licence="CC-BY-SA-4.0",
        author="Emoji One",
        url="https://github.com/joypixels/emojione-legacy",
        style="emojione-v1",
        style_words=("old soft emoji",),
        role="judge",
    ),
    Pack(
        name="noto-v1",
        version="1.2.5",
        sha512="sha512-/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
        licence="Apache-2.0",
        author="Google Inc",
        url="https://github.com/googlefonts/noto-emoji",
        style="noto-v1",
        style_words=("old classic emoji",),
        role="judge",
    ),
)

EMOJIBASE = Archive(
    package="emojibase-data",
    version="17.0.0",
    sha512="sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)
CLDR = Archive(
    package="cldr-annotations-full",
    version="48.2.0",
    sha512="sha512-DV7A+rEcgUSNTRsVGNGqBZRmAkGfwhGHO5Q1dRwzBoBnVrHWp804JP7/QJdEc66iHmx3+zLWVIMCFLm0lW7PUQ==",
)


def pack_named(name: str) -> Pack:
    """The pinned pack of that name; raises :class:`StorageError` for any other."""
    for pack in PACKS:
        if pack.name == name:
            return pack
    raise StorageError(
        f"There is no pinned picture pack called {name!r}.",
        hint="Pinned packs: " + ", ".join(pack.name for pack in PACKS) + ".",
    )
