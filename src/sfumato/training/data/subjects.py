"""Which subjects are worth drawing: rules over emoji, and the hand-picked one-colour glyphs.

A small network sees every picture some three hundred times, so a picture has to be clear, asked
for, and unlike its neighbours. Emoji are chosen by rules (subgroup, then label, then pattern);
one-colour glyphs by the list in ``glyphs.txt``. Nothing here reads a pack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import StorageError

GLYPHS_PATH = Path(__file__).with_name("glyphs.txt")


def split_words(text: str) -> frozenset[str]:
    """The words of a readable block of text, for the lists below."""
    return frozenset(text.split())


def split_labels(text: str) -> frozenset[str]:
    """The labels of a block of text, parted by semicolons."""
    return frozenset(label.strip() for label in text.replace("\n", " ").split(";") if label.strip())


# Subgroups that are left out, but for the labels in KEPT_LABELS.
DROPPED_SUBGROUPS = split_words("""
family person-symbol keycap alphanum arrow zodiac av-symbol gender geometric math punctuation
currency transport-sign other-symbol warning time person-gesture hair-style skin-tone
hand-fingers-open hand-fingers-partial hand-single-finger hand-fingers-closed hands country-flag
subdivision-flag flag
""")

NEVER_SUBGROUPS = split_words("""
keycap alphanum arrow av-symbol hair-style skin-tone country-flag subdivision-flag flag family
transport-sign
""")

KEPT_LABELS = split_labels("""
footprints; fingerprint; bust in silhouette; people hugging; infinity; red question mark;
red exclamation mark; heavy dollar sign; wheelchair symbol; medical symbol; recycling symbol;
fleur-de-lis; trident emblem; check mark button; check mark; cross mark; sparkle; splatter;
warning; no entry; radioactive; biohazard; stop sign; hourglass done; watch; alarm clock; stopwatch;
timer clock; mantelpiece clock;
waving hand; raised hand; vulcan salute; OK hand; victory hand; crossed fingers; sign of the horns;
call me hand; index pointing up; thumbs up; thumbs down; raised fist; clapping hands; heart hands;
handshake; folded hands; person shrugging; person facepalming; cinema
""")

DROPPED_LABELS = split_labels("""
white flower;
grinning face with smiling eyes; beaming face with smiling eyes; grinning face with big eyes;
slightly smiling face; smiling face; kissing face with smiling eyes; kissing face; face with open
eyes and hand over mouth; dotted line face; head shaking horizontally; head shaking vertically;
face with bags under eyes; face with diagonal mouth; distorted face; frowning face with open
mouth; hushed face; slightly frowning face; persevering face; sad but relieved face; anguished
face; tired face; expressionless face; pensive face; fight cloud; anger symbol; eye in speech
bubble; left speech bubble; right anger bubble; grinning cat with smiling eyes; cat with wry
smile; weary cat; hole; sweat droplets; mending heart; heart decoration; growing heart; beating
heart; heart exclamation; ear with hearing aid; biting lip; person: blond hair; man: beard; woman:
beard; man: red hair; man: curly hair; man: white hair; man: bald; woman: red hair; person: red
hair; woman: curly hair; person: curly hair; woman: white hair; person: white hair; woman: bald;
person: bald; woman: blond hair; man: blond hair; older person; person with skullcap; man in
tuxedo; woman in tuxedo; man with veil; woman with veil; pregnant man; pregnant person;
breast-feeding; woman feeding baby; man feeding baby; person feeding baby; Mrs. Claus; Mx Claus;
person getting massage; person standing; person kneeling; person with white cane; person in
motorized wheelchair; person in suit levitating; people with bunny ears; person in steamy room;
people wrestling; person in bed; person playing water polo; person wearing turban; hairy creature;
selfie; guide dog; service dog; front-facing baby chick; pig nose; two-hump camel; leaf fluttering
in wind; empty nest; beverage box; globe showing Asia-Australia; globe showing Europe-Africa; map
of Japan; landslide; national park; Japanese post office; love hotel; department store; foggy;
cityscape at dusk; light rail; station; tram car; oncoming bus; trolleybus; oncoming police car;
oncoming taxi; oncoming automobile; mountain railway; bus stop; motorway; horizontal traffic
light; construction; airplane departure; airplane arrival; small airplane; suspension railway;
aerial tramway; waxing crescent moon; waxing gibbous moon; waning gibbous moon; first quarter
moon; last quarter moon; waning crescent moon; new moon; first quarter moon face; last quarter
moon face; sun behind small cloud; sun behind large cloud; cloud with lightning; umbrella on
ground; wind face; fog; admission tickets; reminder ribbon; moon viewing ceremony; tanabata tree;
pine decoration; Japanese dolls; sports medal; mahjong red dragon; level slider; clutch bag; muted
speaker; speaker low volume; speaker medium volume; bell with slash; mobile phone with arrow;
pager; low battery; trackball; computer disk; dvd; film frames; camera with flash; magnifying
glass tilted right; page with curl; rolled-up newspaper; bookmark tabs; pound banknote; yen
banknote; chart increasing with yen; e-mail; incoming envelope; envelope with arrow; outbox tray;
inbox tray; open mailbox with raised flag; open mailbox with lowered flag; closed mailbox with
lowered flag; black nib; open file folder; card index dividers; tear-off calendar; spiral
calendar; card index; card file box; round pushpin; linked paperclips; locked with pen; locked
with key; old key; hammer and pick; clamp; white cane; crutch; placard; identification card; roll
of paper; elevator; funeral urn; motorized wheelchair; goal net; man’s shoe; thong sandal;
children crossing; place of worship; dotted six-pointed star; orthodox cross; kaaba; mobile phone
off; ZZZ; smiling face with open hands; ballot box with ballot; X-ray; x-ray; safety vest; head
shaking; face exhaling; face in clouds; hamsa; khanda; om; military helmet; tanabata; bricks;
middle finger; water pistol; woman and man holding hands
""")

DROPPED_PATTERNS = (
    re.compile(r"\b(flag|keycap|button|skin tone|regional indicator)\b"),
    re.compile(r"o’clock|-thirty"),
    re.compile(r"facing right|kneeling|gesturing|holding hands|: (man|woman|adult)\b"),
)

# "woman astronaut" repeats "astronaut"; these gendered subjects have no neutral one to repeat.
GENDERED = re.compile(r"^(man|woman|men|women) ")
GENDERED_KEPT = split_labels("woman dancing; man dancing; woman with headscarf")


def refuse_emoji(label: str, subgroup: str, *, strict: bool = True) -> str | None:
    """Why an emoji is left out, or None when it is kept.

    ``label`` is emojibase's, in its own spelling; ``subgroup`` such as ``animal-mammal``. Without
    ``strict`` only flags, letters, clock hours and pose variants go.
    """
    if label in KEPT_LABELS:
        return None
    if not strict:
        if subgroup in NEVER_SUBGROUPS:
            return f"subgroup {subgroup}"
        refused = any(pattern.search(label) for pattern in DROPPED_PATTERNS)
        return "left out by pattern" if refused else None
    if subgroup in DROPPED_SUBGROUPS:
        return f"subgroup {subgroup}"
    if label in DROPPED_LABELS:
        return "left out by name"
    if any(pattern.search(label) for pattern in DROPPED_PATTERNS):
        return "left out by pattern"
    gendered = GENDERED.match(label) is not None and label not in GENDERED_KEPT
    if gendered or label == "merman":
        return "gendered variant"
    return None


# Icon names of logos and products; trademarks are no subjects.
BRANDS = split_words("""
500px adobe airbnb alipay amazon amd android angular ansible apache apple arch aws azure baidu
beats behance bing bitbucket bitcoin bitwarden blackberry blender bluetooth bootstrap btc buffer
canva cash-app centos chrome cisco codepen coinbase debian devto digg discord docker dolby douyin
dribbble dropbox drupal duckduckgo ebay edge electron eslint eth ethereum etsy evernote facebook
fedora figma firebase firefox flickr flutter foursquare freebsd gatsby git github gitlab gmail
gnome go gog google gradle graphql hackernoon hangouts hbo heroku houzz hulu instagram intel ios
iphone itunes java javascript jira jquery jsfiddle kodi kotlin kubernetes laravel lastfm line
linkedin linux mastercard mastodon matrix medium messenger meta microsoft midi mongo mozilla msn
mysql netflix nintendo nodejs notion npm nuget nuxt nvidia okta onedrive opera oracle origin
outlook patreon paypal pinterest playstation plex pokemon postgresql powershell python qq quora
raspberry-pi raspberrypi react reddit redhat roku rss ruby rust salesforce samsung sass shopify
skype slack snapchat sony soundcloud spotify stackoverflow steam stripe svelte swift tailwind
taobao teamviewer telegram tesla threads tiktok tinder trello tumblr twitch twitter typescript
uber ubisoft ubuntu unity unreal valve vercel vimeo visa vk vlc vuejs wechat weibo weixin whatsapp
wikipedia windows wordpress xbox xing yahoo yamaha yelp youtube zelle zend zoom
""")
# Names that belong to films, games and books.
FRANCHISES = split_words("""
bat-leth batman bullet-bill companion-cube death-star deathly-hallows deku-tree dig-dug droid
fulguro-punch google-downasaur harry-potter-skull ice-climber james-bond-aperture jason-mask
king-ju-mask klingon koholint-egg lego lego-smiley light-sabers lightning-saber metroid mighty-boosh
minecraft morph-ball nintendo-game-boy pac-man pokeball pokecog saiyan-suit samus-helmet
sheikah-eye snitch-quidditch-ball sonic-shoes space-invaders spock-hand staryu super-mushroom thwomp
triforce tron-arrow warp-pipe zat-gun zebra-shield
""")
BRAND_WORDS = frozenset({"logo", "brand", "logos", "brands"})

# The packs' own categories whose drawings are logos, flags, letters or furniture of a page.
USELESS_CATEGORIES = split_labels("""
Brand; Brand / Logo; Logos; Flags; Social Media; Alpha / Numeric; Arrow; Arrows; Arrows Action;
Arrange; Form; Text / Content / Format; Text Formatting; Developer / Languages; Math; Vector;
Tooltip; Edit; Edit / Modify; Components; List; ArrowsDiagrams
""")

VARIANT_WORDS = split_words("""
outline outlined off variant alt box arrow alert check plus minus remove cancel edit cog lock left
right up down multiple sync search settings question refresh percent broken linear thin light bold
fill duotone line regular two
""")


def is_brand(name: str) -> bool:
    """Whether an icon's name names a trademark: ``github``, ``bing-logo``, ``apple-finder``.

    A company's own word that is also a thing (``apple``) counts as the company wherever the name
    begins with it, but not inside another name (``red-apple``, ``food-apple``).
    """
    words = name.split("-")
    if name in FRANCHISES or BRAND_WORDS & set(words):
        return True
    return words[0] in BRANDS or "-".join(words[:2]) in BRANDS


@dataclass(frozen=True, slots=True, kw_only=True)
class GlyphChoice:
    """One line of the hand-picked list: which drawing, called what."""

    pack: str
    icon: str
    subject: str
    synonyms: tuple[str, ...]


def parse_glyphs(lines: Iterable[str]) -> Iterator[GlyphChoice]:
    """Read ``[pack]`` sections of comma-parted ``ICON`` or ``ICON=SUBJECT|SYNONYM`` entries.

    A bare icon name is its own subject, hyphens turned into spaces. Raises
    :class:`StorageError` for an entry before the first section.
    """
    pack = ""
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            pack = line.strip("[]")
            continue
        for entry in filter(None, (part.strip() for part in line.split(","))):
            if not pack:
                raise StorageError(f"The glyph {entry!r} stands before any [pack].")
            icon, _, names = entry.partition("=")
            subject, *synonyms = (names or icon.replace("-", " ")).split("|")
            yield GlyphChoice(pack=pack, icon=icon, subject=subject, synonyms=tuple(synonyms))


def load_glyphs(path: Path = GLYPHS_PATH) -> list[GlyphChoice]:
    """The hand-picked glyphs of ``glyphs.txt``."""
    return list(parse_glyphs(path.read_text(encoding="utf-8").splitlines()))
