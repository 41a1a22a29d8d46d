"""The planner's word lists. Only data: how they are used is in ``planner`` and ``words``.

Everything is lower case. Lists are written as text because that is how they are read and mended.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    """Entries parted by semicolons, each of several words."""
    return frozenset(" ".join(entry.split()) for entry in text.split(";") if entry.strip())


ARTICLES = _words("a an the some any this these those my your our his her their its one single")

# Words that begin a noun phrase in French, German, Spanish, Italian, Portuguese or Dutch and are
# no English words.
ARTICLES_ELSEWHERE = _words(
    """un une les des du ein eine einen einem einer eines der das el unos unas una il gli uno um
    uma uns umas het een le la"""
)

# Asking for a picture rather than saying what is in it; "us" only as in "draw us a fox".
ASKING = _words("please draw paint sketch generate create make render produce show give me us want")

# What a picture is called. Dropped as "logo of a fox", "fox logo" and "logo: fox".
FRAMES = _words(
    """logo logos logotype icon icons sticker stickers emoji emojis emoticon illustration
    illustrations vector vectors drawing drawings picture pictures image images photo photograph
    painting shot sketch clipart graphic graphics artwork pictogram rendering render depiction
    design art avatar mascot silhouette portrait cartoon doodle"""
)
# Of these, the ones that are dropped at the front even without "of": nothing is called "logo x".
LEADING_FRAMES = _words("logo logotype icon sticker emoji vector illustration clipart")
# "symbol of peace" is about peace, while "peace symbol" is a thing that people draw.
FRAMES_WITH_OF = FRAMES | _words("symbol sign")
FRAME_LINKS = _words("of for showing depicting featuring with containing")

# Praise, quality and technique: nothing here changes what a small model draws.
FILLERS = _words(
    """minimalist minimalistic minimal simple simplistic modern clean crisp beautiful nice cool
    professional elegant stylish stylised stylized cute adorable lovely pretty awesome amazing
    colourful colorful detailed intricate hq hd uhd 4k 8k 2k 3d 2d svg png jpg vectorised
    vectorized isolated centred centered premium trendy masterpiece hires scalable coloured
    colored solid kawaii small big large little tiny huge giant very really"""
)
FILLER_PHRASES = _phrases(
    """high quality; best quality; top quality; high resolution; high res; ultra hd; full hd;
    high detail; highly detailed; very detailed; award winning; award-winning;
    trending on artstation; trending on dribbble; clip art; flat design; vector art;
    line icon; no text; no words; no letters; without text; without words; without letters;
    i want; i need; i would like; can you; could you; style icon"""
)

# Where one thing stands as seen from the next: what follows names another thing.
LINKS = {
    **dict.fromkeys(
        _phrases(
            "left of; to the left of; on the left of; to the left side of; on the left side of"
        ),
        "left",
    ),
    **dict.fromkeys(
        _phrases(
            "right of; to the right of; on the right of; to the right side of; on the right side of"
        ),
        "right",
    ),
    **dict.fromkeys(_phrases("above; over; atop; on top of"), "above"),
    **dict.fromkeys(_phrases("below; under; underneath; beneath"), "below"),
    **dict.fromkeys(
        _phrases(
            """next to; beside; alongside; near; near to; close to; adjacent to; side by side with;
            by the side of"""
        ),
        "beside",
    ),
    **dict.fromkeys(_phrases("between; in between"), "between"),
}
# The same said behind a thing: "a cat on the left and a dog on the right".
PLACES = {
    **dict.fromkeys(_phrases("on the left; on the left side; to the left; at the left"), "left"),
    **dict.fromkeys(
        _phrases("on the right; on the right side; to the right; at the right"), "right"
    ),
    **dict.fromkeys(_phrases("at the top; on the top; on top"), "above"),
    **dict.fromkeys(_phrases("at the bottom; on the bottom"), "below"),
}
# How all of them stand.
ARRANGEMENTS = {
    **dict.fromkeys(
        _phrases(
            """in a row; in one row; in a horizontal row; in a horizontal line; lined up; side by
            side; next to each other; beside each other; next to one another"""
        ),
        "row",
    ),
    **dict.fromkeys(
        _phrases(
            """in a column; in one column; in a vertical row; in a vertical line; stacked
            vertically; on top of each other; on top of one another; one above the other; one above
            another; one on top of the other; one below the other; above each other; below each
            other"""
        ),
        "column",
    ),
    **dict.fromkeys(_phrases("in a grid; in rows; in two rows; in three rows"), "grid"),
}
# How a thing rests before a word says where; nothing of this is drawn.
POSTURES = _words(
    """sitting standing lying laying resting placed located positioned hovering floating flying
    hanging leaning parked perched waiting stacked set is are that which directly just right
    immediately"""
)
# Several words that act as one of those below.
RELATION_PHRASES = _phrases("in front of; made of; made from; surrounded by; left to; right to") | {
    phrase for phrase in (*LINKS, *PLACES, *ARRANGEMENTS) if " " in phrase
}
# Words that end the noun phrase: what follows belongs to a scene, which one subject is not.
CUTS = (
    _words(
        """with under underneath beneath on onto upon in into inside near beside next between among
    behind before above below over around against through across along from at by without as like
    while where when who which that whose made surrounded for about to is are atop alongside"""
    )
    | RELATION_PHRASES
)
# "a dragon breathing fire": a verb ends the phrase too, but not one of these nouns, and not after
# a person, whose pictures are named by what they do ("person juggling").
NOUNS_IN_ING = _words(
    """earring building painting pudding string spring swing sling wedding ceiling lightning viking
    clothing duckling gosling dumpling sapling seedling herring starling stocking evening morning
    icing sibling awning sterling crossing parking dressing topping offering warning
    greeting frosting railing casing bearing turing cooking dancing"""
)
# Of these, the ones that are something done where they stand alone behind "and".
DOINGS = _words("cooking dancing")
DOERS = _words("person people man woman men women boy girl child kid face baby hands hand")
AND_PHRASES = _phrases("as well as; together with; along with; accompanied by")
ANDS = _words("and & plus + vs versus") | AND_PHRASES
JOINS = ANDS | {"or"}
# One word that says what a thing is like, not what it is: "hot and spicy pepper" is one thing.
QUALITIES = _words(
    """hot cold warm cool old young new happy sad angry funny scary spooky sweet sour salty spicy
    brave wise wild free fresh healthy strong weak fast slow quick quiet loud long short tall round
    thick thin fat slim wide narrow dark light bright shiny dull fluffy furry fuzzy soft hard smooth
    rough sharp wet dry clean dirty rich poor friendly fierce gentle proud calm bold sleepy tired
    hungry crispy crunchy creamy juicy delicious tasty fancy royal magical mystical mysterious
    ancient rustic vintage retro abstract geometric organic natural playful cozy cosy festive safe
    sound plain striped spotted"""
)

NUMBERS = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8},
    **{"nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12, "twenty": 20},
    **{"hundred": 100, "thousand": 1000, "pair of": 2, "couple of": 2, "trio of": 3},
}
COUNT_PHRASES = _phrases(
    """couple of; pair of; trio of; group of; set of; collection of; lots of; pile of; bunch of;
    hundreds of; thousands of"""
)
COUNTS = (
    COUNT_PHRASES
    | NUMBERS.keys()
    | _words("several many few multiple various numerous both thirteen fifteen")
)
# "a pair of socks" is what such pictures show; "two socks" are laid out.
PAIRED = _words("socks gloves mittens chopsticks lungs kidneys skis wings eyes ears slippers")
SAME_IN_PLURAL = _words("sheep fish deer moose bison salmon trout squid swine shrimp")
# "three colours": counted, but not drawn one by one.
NOT_DRAWN = _words(
    """colours colors tones shades hues styles times years days hours minutes degrees dimensions
    pixels inches words letters percent points sides seasons"""
)
# Plurals that rules on the last letters get wrong, and words that are one thing though in "s".
SINGULARS = {
    **{"mice": "mouse", "geese": "goose", "teeth": "tooth", "feet": "foot", "men": "man"},
    **{"women": "woman", "children": "child", "people": "person", "wolves": "wolf"},
    **{"leaves": "leaf", "knives": "knife", "loaves": "loaf", "elves": "elf", "shelves": "shelf"},
    **{"calves": "calf", "halves": "half", "dwarves": "dwarf", "scarves": "scarf"},
    **{"cacti": "cactus", "octopi": "octopus", "fungi": "fungus", "oxen": "ox", "dice": "die"},
    **{"shoes": "shoe", "toes": "toe", "horseshoes": "horseshoe", "pies": "pie", "ties": "tie"},
    **{"cookies": "cookie", "movies": "movie", "zombies": "zombie", "genies": "genie"},
    **{"selfies": "selfie", "brownies": "brownie", "smoothies": "smoothie", "axes": "axe"},
    **{"buses": "bus", "viruses": "virus", "cactuses": "cactus", "octopuses": "octopus"},
    **{"hooves": "hoof", "thieves": "thief", "wives": "wife", "werewolves": "werewolf"},
    **{"canoes": "canoe", "oboes": "oboe", "bookshelves": "bookshelf", "snowshoes": "snowshoe"},
    **{"walruses": "walrus", "lenses": "lens", "caches": "cache", "headaches": "headache"},
}
ONE_THING_IN_S = _words(
    """bus cactus octopus walrus virus lens gas glass cross dress compass grass chess boss moss
    glasses sunglasses goggles scissors pliers trousers jeans pants shorts binoculars headphones
    pyjamas pajamas tongs series species atlas canvas iris hippopotamus platypus abacus lotus
    crocus hibiscus asparagus pegasus chaos swiss brass princess mattress fortress waitress
    kiss class mass pass circus campus citrus papyrus eucalyptus venus saturnus stegosaurus
    brontosaurus brachiosaurus triceratops plesiosaurus caduceus anubis news maths tennis
    sheep fish deer christmas"""
)
ONE_THING_IN_MEN = _words("omen ramen amen specimen abdomen regimen stamen cyclamen acumen women")

SHAPES = {
    **{"circle": "circle", "circular": "circle", "round": "circle", "disc": "circle"},
    **{"disk": "circle", "roundel": "circle", "square": "square", "rounded": "rounded"},
    **{"squircle": "rounded", "shield": "shield", "hexagon": "hexagon", "hexagonal": "hexagon"},
    **{"ring": "ring", "sunburst": "sunburst", "starburst": "sunburst", "diamond": "diamond"},
    **{"rhombus": "diamond", "lozenge": "diamond"},
}
ROUNDED_PHRASES = _phrases("rounded square; rounded rectangle; rounded corners; rounded tile")
# "lion badge" asks for a shape without naming it.
BADGES = {
    "badge": "circle",
    "emblem": "circle",
    "medallion": "circle",
    "roundel": "circle",
    "crest": "shield",
    "app icon": "rounded",
    "app logo": "rounded",
    "launcher icon": "rounded",
}
ON_SHAPE = _words("on in inside within against over upon onto with") | {"in front of", "on top of"}
# "on a round badge", "in a circular frame": nouns that a shape may come with.
SHAPE_NOUNS = _words(
    "background backdrop bg shape frame badge emblem tile icon logo crest plate base button sticker"
)

GROUND_NOUNS = _words("background backdrop backgrounds bg")
GROUND_FILLERS = _words("solid plain clean flat simple full empty color colour coloured colored")
CLEAR_WORDS = _words("transparent no without clear alpha")
# "on a dark background" names no colour, yet it is plain what is meant.
GROUND_TONES = {"dark": "charcoal", "light": "ivory"}

# Colours that are first of all things: a tint only beside another colour word ("lime green").
THINGS_BEFORE_COLOURS = _words(
    "chocolate salmon rose plum sand cherry cream wine olive lime peach mustard mint"
)
# Colours that, said last, are the subject all the same: "blood orange".
THINGS_WHEN_LAST = THINGS_BEFORE_COLOURS | _words(
    "orange gold silver violet coral lavender ruby emerald copper bronze amber lilac indigo"
)
# A colour's name that belongs to the subject: kept whole, not a tint.
COLOURED_NAMES = _phrases(
    """brown bear; black bear; red fox; grey squirrel; gray squirrel; red panda; blue whale;
    black hole; orange juice; orange slice;
    orange tree; white house; green tea; gold medal; silver medal; bronze medal; gold bar;
    gold bars; gold stack; gold coin; gold coins; golden retriever; golden gate bridge;
    golden egg; gold fish; golden eagle; silver spoon; black belt; black box; black
    board; white board; red cross; red carpet; red card; yellow card; red envelope;
    red paper lantern; red lantern; red cabbage;
    red onion; red pepper; green pepper; red wine; white wine; white cane; white tower;
    white flower; leafy green; green salad; green bean; green beans; green onion; brown mushroom;
    brown rice; brown sugar; black sheep; black pepper; black nib; black swan; black widow;
    black knight; pink flamingo; blue jay; blue cheese; yellow pages; grey wolf; gray wolf;
    white shark; great white shark; snow white; silver bullet; green house;
    coral reef; olive branch; olive oil; olive tree; peach tree; mint leaf; lime juice;
    lime slice; rose bush; violet flower; lavender flower; sky blue sky; sand castle; sand clock;
    chocolate bar; chocolate cake; cream puff; ruby slippers; copper kettle; silver fox;
    indigo bunting; cherry tomato"""
)
# The colour names the animal, and the animal has it anyway: no tint, and the plain name is known.
PLAIN_NAMES = {"red fox": "fox", "grey squirrel": "squirrel", "gray squirrel": "squirrel"}
# Kept whole, and the tint is set as well: the words name a thing that has this colour.
TINTED_NAMES = _phrases(
    """red heart; pink heart; orange heart; yellow heart; green heart; blue heart;
    light blue heart; purple heart; brown heart; black heart; grey heart; white heart;
    red apple; green apple; black cat; black bird; green book; blue book; orange book;
    red question mark;
    white question mark; red exclamation mark; white exclamation mark; black flag; white flag"""
)
# Subjects that are nothing but a shape and its colour: "red circle" stays whole when it is alone.
PLAIN_SHAPES = _words("circle square triangle diamond dot star")
# Names that hold a word the planner would otherwise take for framing, style, size or a relation.
WHOLE_NAMES = _phrases(
    """picture frame; framed picture; photo frame; photo camera; photo album; image frame;
    drawing board; drawing pin; drawing pad; paint brush; paint bucket; paint roller; paint
    palette; art palette; art gallery; martial arts; modern art; paint can; graphics card;
    design tools; portrait frame; graphic tablet; vector field; name badge; police badge;
    sheriff badge; sheriff's badge; trident emblem; flat tyre; flat tire; flat shoe; flat cap;
    flat screen; flat screen tv; flat iron; soft ice cream; soft serve; soft drink; soft toy;
    classic car; solid state drive; line chart; line graph; outline map; big ben; big wheel;
    big dipper; big top; little dipper; tiny house; small airplane; small car; giant panda;
    giant squid; giant tortoise; clear sky; diamond ring; engagement ring; wedding ring;
    boxing ring; ring buoy; key ring; round shield; cross shield; checked shield;
    flying saucer; flying fish; flying fox; flying carpet; running shoe; running shoes;
    running shirt; swimming pool; sleeping bag; rocking chair; playing card; playing cards;
    reading glasses; sewing machine; pool 8 ball; 8 ball; eight ball; hundred points;
    face with tears of joy; rolling on the floor laughing; sun with face; heart on fire;
    heart with arrow; heart with ribbon; heart with wings; skull and crossbones; bow and arrow;
    nut and bolt; hammer and wrench; hammer and pick; fork and knife; knife and fork;
    fork and knife with plate; plate with fork and knife; fork knife and spoon; couch and lamp;
    star and crescent; crescent and star; hammer and sickle; mortar and pestle; quill and ink;
    needle and thread; lock and key; cup and saucer; salt and pepper; fish and chips;
    bacon and eggs; curry and rice; rice and curry; yin and yang; rock and roll; ball and chain;
    bread and butter; scales of justice; sign of the horns; bust in silhouette; busts in
    silhouette; speaking head in silhouette; nest with eggs; meat on bone; meat on the bone;
    bowl with spoon; cup with straw; bottle with popping cork; fish cake with swirl;
    drum with drumsticks; money with wings; house with garden; beach with umbrella;
    night with stars; sunrise over mountains; cityscape at dusk; bridge at night;
    sunset over buildings; sun behind cloud; sun behind small cloud; sun behind large cloud;
    sun behind rain cloud; cloud with rain; cloud with snow; cloud with lightning;
    cloud with lightning and rain; umbrella with rain drops; umbrella on ground; flag in hole;
    globe with meridians; couple with heart; person in tuxedo; man in tuxedo; woman in tuxedo;
    person in lotus position; person in steamy room; person in bed; person with crown;
    person with veil; woman with headscarf; cat with tears of joy; smiling cat with heart-eyes;
    jack in the box; corn on the cob; coffee to go; witch on a broom; knight on horseback;
    axe in a stump; sword in the stone; shield with a check mark; ballot box with ballot;
    smiling face with sunglasses; smiling face with horns; smiling face with hearts;
    smiling face with halo; smiling face with heart-eyes; smiling face with smiling eyes;
    grinning face with sweat; face with tongue; face with medical mask; face with thermometer;
    face with monocle; face with raised eyebrow; open for business; no entry; no smoking;
    thumbs up; thumbs down; made in china; sun and rain; thunder cloud and rain; fishing pole and
    fish; four leaf clover; 4 leaf clover; three leaves; face with hand over mouth; face with
    symbols over mouth; hand over mouth; high five; smiling face with three hearts; three button
    mouse; mouse three button; man and woman holding hands; mac and cheese; surf and turf; ham and
    cheese; gin and tonic; peanut butter and jelly; spaghetti and meatballs; stars and stripes;
    snakes and ladders; dungeons and dragons; hide and seek; drag and drop; search and rescue; copy
    and paste; lost and found; health and safety; arts and crafts; law and order; day and night;
    peaches and cream; strawberries and cream; cookies and cream; milk and cookies; one way; two
    way; three way; bed and breakfast; research and development; terms and conditions; trial and
    error; up and down; left and right; drum and bass; four seasons; seven seas; sketch book; sketch
    pad; paint tube; paint tubes; paint box; paint set; paint pot; paint drop; paint splash; paint
    splatter; paint spray; paint gun; paint job; draw bridge; draw string; draw knife; show jumping;
    show jumper; show room; show case; show time; show business; single malt; single bed; single
    room; single speed; single cell; single parent; one piece; one dollar; one man band; sticker
    book; sticker album; sticker sheet"""
)

# 🦊 is called FOX FACE by Unicode; only these names lose the word, "cat face" is its own subject.
WHOLE_FACES = _words(
    "fox lion bear hamster panda frog wolf robot unicorn raccoon moose zebra giraffe"
)
# Unicode's names are for software; these are what a person would write.
EMOJI_NAMES = {
    **{"heavy black heart": "red heart", "white smiling face": "smiling face"},
    **{"black sun with rays": "sun", "white medium star": "star", "lady beetle": "ladybug"},
    **{"father christmas": "santa claus", "automobile": "car", "ear of maize": "corn"},
    **{"happy person raising one hand": "person raising hand", "person with folded hands": "pray"},
    **{"high voltage": "lightning bolt", "hot beverage": "coffee cup"},
    **{"dark sunglasses": "sunglasses", "cooking": "fried egg", "hundred points symbol": "100"},
    **{"multiple musical notes": "musical notes", "first place medal": "gold medal"},
    **{"snowman without snow": "snowman", "face with look of triumph": "huffing face"},
}

# Words in capitals behind "portrait of" that name nobody whose face one would have to know: by the
# last of them, by the first, or by all.
NAMED_LAST = _words(
    """alligator antelope ape armadillo baboon badger bat bear beaver bee beetle bison buffalo
    butterfly camel cat caterpillar chameleon cheetah chicken chimpanzee cobra cockatoo corgi cow
    crab crocodile deer dinosaur dog dolphin donkey dragon duck eagle elephant falcon flamingo frog
    gecko giraffe goat goldfish goose gorilla hamster hedgehog hippo hippopotamus horse hyena iguana
    jellyfish kangaroo kitten koala ladybug lemur leopard lion lizard llama lobster lynx meerkat
    mongoose monkey moose mouse octopus orangutan orca ostrich otter owl panda panther parrot
    pelican penguin pheasant pig pigeon pony poodle puffin puma puppy rabbit raccoon rat retriever
    rhino rhinoceros salamander salmon scorpion seahorse seal shark sheep sloth snail snake spider
    squid squirrel stallion starfish terrier tiger toad tortoise toucan turkey turtle unicorn
    vulture walrus whale wombat woodpecker zebra bridge canyon cathedral falls galaxy island
    lighthouse mountain mountains nebula palace pyramid pyramids reef ruins statue tower valley
    volcano waterfall airship motorcycle robot rocket skeleton snowman cactus orchid sunflower"""
)
NAMED_FIRST = _words("mount mt lake cape planet")
NAMED_WHOLE = _phrases(
    """father christmas; santa claus; mrs claus; mother nature; mother earth; father time; jack
    frost; easter bunny; tooth fairy; grim reaper; uncle sam; lady liberty; milky way; new york"""
)
# Animals that are surnames too: the animal only behind nothing but words that say what it is like.
SURNAMES = _words("fox wolf swan crow crane sparrow robin peacock hawk raven shepherd bunny finch")
DESCRIBING = QUALITIES | _words(
    """arctic snowy great polar baby mother snow sea mountain desert forest night american african
    asian european german fennec house carrion maned timber"""
)

# Grounds of an emblem when no colour is named: pale ones that drawings stand out from, and deep
# ones for a drawing that is pale itself.
PALE_GROUNDS = ("#ffd972", "#a9d6f5", "#b5e3c4", "#ffc9d6", "#d5c6ee", "#f6e7cb", "#ffcba4")
DEEP_GROUNDS = ("#1d3557", "#1f5c57", "#54306e", "#7a2e3a", "#37414f")
