"""How questions are worded and facts told.

A wording is a pattern: {a|b|c} means one of a, b, c (nested once); [x] stands for what is asked
about, <w> for any word. The last wording of each kind is never trained on: score.py uses these to
measure free wording.
"""

REFUSAL = "I am a small demo model: I only know coloured shapes."
EMPTY = "There are no shapes here."
NUMBERS = ("no", "one", "two", "three")
COLOUR = "{color|colour}"
THING = "{shapes|objects|things}"
VIDEO = "{video|clip}"

WORDINGS = {
    "describe": [
        "{Please |}{describe|explain|summarize} {what happens|what you see|what is shown}{.|}",
        "Please {say|tell me|describe} what is {here|happening|going on}"
        + "{| in the video| in this clip}.",
        "{Tell me|Say} {what is|about what is} in {the|this} " + VIDEO + "{.|}",
        "What is in {the|this} " + VIDEO + "?",
        "{Describe|Please describe|Summarize|Can you describe} {the|this} " + VIDEO + "{.|}",
        "What {happens|is happening|is going on} {in {the} video|in this clip|here|}?",
        "What {do you|can you} see{| here| in the video| in this video}?",
        "What {can be seen|is shown|is there}{| here| in the video}?",
        "{Tell me|Say} what {happens|you see|you can see}{| in the video| here}.",
        "{Describe|List} {everything|all} {you see|that happens|}.",
        "What {does this|does the} " + VIDEO + " show?",
        "{Give|Write} a {short |}description{| of the video}.",
        "Please tell me what is in this video.",
    ],
    "describe_image": [
        "{Tell me|Please say} what is {here|shown|in the picture}.",
        "{Describe|Please describe} {the|this} {image|picture|photo}{.|}",
        "What {do you see|is shown|is there}{| here| in the picture| in this image}?",
        "What is in {the|this} {image|picture}?",
        "Please tell me what is in this image.",
    ],
    "count": [
        "{Say|Please tell me} {how many|the number of} " + THING + "{ there are| you see|}{.|}",
        "How many {different |coloured |}" + THING + " {are visible|are shown|appear}?",
        "How many "
        + THING
        + "{| are there| do you see| are in the video| can you see| can be seen}?",
        "{Count|Please count} the " + THING + "{.|}",
        "What is the number of " + THING + "?",
        "Tell me how many shapes there are.",
    ],
    "color": [
        "[s]: {what|which} " + COLOUR + "?",
        "{What|Which} " + COLOUR + " {does [s] have|has [s]}?",
        "{Please |}{tell me|say} {what|which} " + COLOUR + " [s] {is|has}{.|}",
        "{What|Which} " + COLOUR + " is [s]?",
        "What is the " + COLOUR + " of [s]?",
        "{Tell me|Name} the " + COLOUR + " of [s].",
        "[s] has which colour?",
    ],
    "shape": [
        "[c]: {what|which} shape?",
        "{What|Which} shape {does [c] have|has [c]}?",
        "{Please |}{tell me|say|name} {the shape of [c]|what shape [c] is|which shape [c] has}{.|}",
        "[c] is {what|which} {kind of |}shape?",
        "{What|Which} shape is [c]?",
        "What is the shape of [c]?",
        "What {kind|type} of shape is [c]?",
        "[c] has which shape?",
    ],
    "direction": [
        "{Please |}{tell me|say} {where|how|in which direction} [o] {moves|goes|travels}{.|}",
        "[o]: {which way|where|what direction} does it {go|move}?",
        "{Which way|In which direction|Where|What direction} does [o] {move|go|travel}?",
        "In what direction does [o] {move|go}?",
        "{Which way|In which direction|Where|What direction} is [o] {moving|going}?",
        "How does [o] move?",
        "What does [o] do?",
        "What is the {direction|motion|movement} of [o]?",
        "Tell me which way [o] moves.",
    ],
    "moves": [
        "{Say|Tell me} {if|whether} [o] {moves|goes} [d]{.|}",
        "{Is it {right|so} that|Do you see that} [o] {goes|moves|is moving} [d]?",
        "[o] {moves|goes} [d], {right|true|yes or no}?",
        "{Does|Can you see if} [o] {move|go} [d]?",
        "Is [o] {moving|going} [d]?",
        "Is it true that [o] moves [d]?",
    ],
    "presence": [
        "{Does|Do} the {video|clip} {contain|have} a [q]?",
        "{Tell me|Say} {if|whether} there is a [q]{.|}",
        "Can a [q] be seen{| here| in the video}?",
        "Is there {a|any} [q]{| in the video| here| in the clip}?",
        "{Do|Can} you see a [q]{| here| in the video}?",
        "{Does a [q] appear|Is a [q] shown|Is a [q] visible}{| in the video}?",
        "{Is|Was} a [q] {there|present|visible}?",
        "Does the video show a [q]?",
    ],
    "appear": [
        "{Tell me|Say} when [o] {appears|comes in|shows up}{.|}",
        "{What|Which} {time|moment} does [o] {show up|come in}{| at}?",
        "When does [o] {appear|show up|come in|first appear|enter}?",
        "At what time does [o] {appear|show up|first appear}?",
        "{When|At what time} is [o] first {seen|visible}?",
        "When do you first see [o]?",
        "What time does [o] appear?",
    ],
    "vanish": [
        "{Tell me|Say} when [o] {disappears|leaves|vanishes}{.|}",
        "{What|Which} {time|moment} does [o] {leave|vanish}{| at}?",
        "When does [o] {disappear|leave|vanish|go away}?",
        "At what time does [o] {disappear|leave|vanish}?",
        "{When|At what time} is [o] last {seen|visible}?",
        "When do you last see [o]?",
        "What time does [o] disappear?",
    ],
    "first": [
        "{Tell me|Say} {what|which one} {appears|comes} first{.|}",
        "Which {shape|object|thing} {is|comes} first?",
        "{What|Which shape|Which object} {appears|comes|is seen|is shown} first?",
        "What is the first {shape|object|thing}{| to appear| you see}?",
        "Which one appears first?",
    ],
    "json": [
        "{Give me|I want|Write} {JSON|a JSON list} of {the|all} " + THING + "{.|}",
        "{What|Which shapes} {is|are} {here|in the video|in it}? "
        + "{JSON|As JSON|In JSON|Reply in JSON}{.|}",
        "{List|Give|Describe|Return} {the|all} " + THING + " {as|in} JSON{.|}",
        "{Answer|Reply} {in|with} JSON: {what do you see|what happens|which shapes are there}?",
        "JSON {please|only}: what do you see?",
        "{Describe|Summarize} the video {as|in} JSON.",
        "What is in the video? Answer in JSON.",
    ],
    "box": [
        "{Tell me|Say|Write} the {box|bounding box|bbox} of [o] [w]{.|}",
        "{Where is|Bounding box for|Box of} [o] [w]{?|}",
        "Where is [o] [w]? {Give|Return} {the|its} {box|bounding box|bbox}.",
        "{Give|Return|Show} {me |}the {box|bounding box|bbox|bbox_2d} of [o] [w]{.|}",
        "{Locate|Find|Detect} [o] [w]{| and give its box}.",
        "Output the bounding box of [o] [w].",
    ],
    "size": [
        "{Tell me|Say} {how big|what size} [o] is{.|}",
        "[o]: {small or large|what size}?",
        "{How big|How large|What size} is [o]?",
        "Is [o] {small or large|large or small|big or small}?",
        "What is the size of [o]?",
    ],
    "other": [
        "{Who|What|Where} is {the|this|a} <w>?",
        "{What|How} {is|was|are} {your|the} <w>{| like| today}?",
        "{Write|Tell me|Sing|Read} {a|the|me a} {<w>|story|poem|joke|song}{| about <w>}.",
        "{What is|Explain|Define} {a |the |}<w> {and|of|in|for} <w>{.|?}",
        "{Is|Are} there {a|any} {<w>|person|dog|cat|car|man|tree|house|text}{| in the video}?",
        "{Is|Are} there {a|any} {<w>|woman|child|people|animal}{| here}?",
        "{Hello|Hi|Hey|Good morning|Thanks|Thank you}{.|!| there}",
        "{Who are you|What are you|What can you do|Help|What is your name|Who made you}?",
        "{Translate|Spell|Say} <w>{| in <w>| <w>}.",
        "{What|How much} is <n> {plus|times|minus|+} <n>?",
        "{Why|When|How} {do|does|did|will|can} {people|the <w>|you|I|he|she|they} <w>{| the <w>}?",
        "What is the {capital|president|population} of {France|Germany|<w>}?",
        "{What|Which} {animal|food|city|brand|music|person|language} is {this|it|that|shown}?",
        "What {is the {weather} |does the sign |do they }{say|like}?",
        "Can you <w> the <w>?",
    ],
}

MOTION_TEXT = {
    "left": "moves to the left",
    "right": "moves to the right",
    "up": "moves up",
    "down": "moves down",
    "around": "moves around",
    "still": "stays still",
    "grow": "grows",
    "shrink": "shrinks",
}
MOTION_ASK = {
    "left": ("left", "to the left"),
    "right": ("right", "to the right"),
    "up": ("up", "upwards"),
    "down": ("down", "downwards"),
    "around": ("around", "in circles"),
}
OTHER_WORDS = (
    "cat dog bird horse fish house car train plane bike road tree flower river sea beach "
    "mountain city street bridge school office kitchen room table chair window door lamp "
    "phone computer keyboard mouse screen book paper pen letter number price money bank "
    "market shop food bread milk tea coffee water apple banana cake soup rice dinner "
    "breakfast man woman boy girl baby friend teacher doctor king queen actor singer player "
    "team game ball goal match music guitar piano dance film movie picture camera sun moon "
    "rain snow wind storm summer winter spring autumn day night morning evening week year "
    "history science physics law love life death war peace dream idea word sentence language "
    "English French German Spanish Chinese code program Python Java recipe hand face eye hair "
    "shirt shoe hat bag box wheel engine run walk jump swim eat drink sleep think read write "
    "buy sell cook clean open close build break fix happy sad big fast slow new old hot cold "
    "good bad long strange heavy quiet loud"
).split()
